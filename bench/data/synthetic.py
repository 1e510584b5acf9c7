"""The default source: it needs nothing, and is made in seconds from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data import ecg
from bench.data.source import COUNTS_PER_MV, FREQUENCY, SPLITS, Samples, Spec, as_counts, shuffled

SAMPLES_PER_PATIENT = {"small": 40, "large": 4}
GAIN = (0.3, 1.7)
OFFSET = (-0.5, 0.0)
"""Of a single beat's electrodes, the offset in mV."""

VERSION = 1
"""To be raised when the same seed gives other samples."""


@dataclass(frozen=True)
class Synthetic:
    """Samples of made-up patients, half of each patient's with premature beats; nobody is in both splits."""

    seed: int = 0
    name: str = "synthetic"

    def fingerprint(self, spec: Spec) -> dict:
        return {"source": self.name, "version": VERSION, "seed": self.seed}

    def sizes(self, spec: Spec) -> dict[str, int]:
        return {"train": spec.train, "evaluation": spec.evaluation}

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        """A whole shard: every one has patients and a generator of its own."""
        place, number = SPLITS.index(split), start // spec.shard_samples
        generator = (
            np.random.default_rng([self.seed, spec.length, place, number])
            if number
            else np.random.default_rng([self.seed, spec.length]).spawn(2)[place]
        )
        return _shard(spec, stop - start, generator)


def _shard(spec: Spec, samples: int, generator: np.random.Generator) -> Samples:
    each = SAMPLES_PER_PATIENT[spec.size]
    labels = np.arange(samples) % 2
    draw = _beats if spec.size == "small" else _strips
    patients = []
    for start in range(0, samples, each):
        beats = draw(spec.length, labels[start : start + each], generator)
        patients.append(
            as_counts(np.round((beats + ecg.noise(*beats.shape, generator)) * COUNTS_PER_MV))
        )
    return shuffled(np.concatenate(patients), labels, generator)


def _beats(length: int, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One patient's beats in mV, [samples, length], the R wave in the middle.

    Cut out alone, a beat keeps the gain and the offset that its electrodes had. Without the two, all beats are so
    alike that one update can saturate all of them at once: `activated` then freezes this dataset too, for half of the
    seeds, as it does not on real records, where amplitudes differ eightfold and baselines lie up to 1 mV below zero.
    """
    patient = ecg.draw_patient(generator)
    times = np.tile((np.arange(length) - length // 2) / FREQUENCY, (len(labels), 1))
    beats = np.empty((len(labels), length))
    for label, waves in ((0, patient.normal), (1, patient.premature)):
        beats[labels == label] = ecg.beat_waveforms(times[labels == label], waves, generator)
    return generator.uniform(*GAIN, (len(labels), 1)) * beats + generator.uniform(
        *OFFSET, (len(labels), 1)
    )


def _strips(length: int, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One patient's strips in mV, [samples, length]."""
    patient = ecg.draw_patient(generator)
    return np.stack(
        [ecg.strip(length / FREQUENCY, length, patient, bool(label), generator) for label in labels]
    )
