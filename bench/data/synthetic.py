"""The default source of samples: synthetic ECGs, drawn from a seed in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data import ecg
from bench.data.source import COUNTS_PER_MV, FREQUENCY, SPLITS, Samples, Spec, as_counts, shuffled

SAMPLES_PER_PATIENT = {"small": 40, "large": 4}
GAIN = (0.3, 1.7)
"""Range of the factor by which the electrodes of a single beat scale it."""

OFFSET = (-0.5, 0.0)
"""Range of the offset in mV that the electrodes of a single beat add."""

VERSION = 1
"""To be raised when the same seed gives other samples."""


@dataclass(frozen=True)
class Synthetic:
    """Samples of synthetic patients. Half of each patient's samples have premature beats.

    No patient is in both splits.
    """

    seed: int = 0
    name: str = "synthetic"

    def dataset_parameters(self, spec: Spec) -> dict:
        return {"source": self.name, "version": VERSION, "seed": self.seed}

    def sizes(self, spec: Spec) -> dict[str, int]:
        return {"train": spec.train, "evaluation": spec.evaluation}

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        """Draws a shard: each shard has its own patients, and its own generator."""
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
        signal = draw(spec.length, labels[start : start + each], generator)
        noise = ecg.noise(len(signal), spec.length, generator)
        patients.append(as_counts(np.round((signal + noise) * COUNTS_PER_MV)))
    return shuffled(np.concatenate(patients), labels, generator)


def _beats(length: int, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns one patient's beats in mV, [samples, length], with the R wave in the middle.

    Every beat has the gain and the offset of its own electrodes. Without these, all beats are so
    alike that one update can saturate all of them at once: `activated` then freezes on this
    dataset, too, for half of the seeds. It does not freeze on real records, whose amplitudes differ
    by a factor of eight, and whose baselines lie up to 1 mV below zero.
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
    """Returns one patient's strips in mV, [samples, length]."""
    patient = ecg.draw_patient(generator)
    return np.stack(
        [ecg.strip(length / FREQUENCY, length, patient, bool(label), generator) for label in labels]
    )
