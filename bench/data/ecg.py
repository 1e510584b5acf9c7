"""A synthetic electrocardiogram (ECG), in which every beat is a sum of Gaussians.

Source: McSharry et al. 2003, IEEE Trans. Biomed. Eng. 50:289 (waves as Gaussians) and Clifford et
al. 2010, Physiol. Meas. 31:5 (abnormal beats as other Gaussians). Amplitudes are in mV, times in
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data.source import FREQUENCY

NORMAL = np.array(
    [  # amplitude mV, centre ms, sigma ms: P, Q, R, S, T
        (0.15, -170, 22),
        (-0.10, -25, 8),
        (1.20, 0, 10),
        (-0.25, 28, 10),
        (0.30, 280, 50),
    ]
)
BEFORE, AFTER = 0.25, 0.55
"""Seconds before and after the R wave in which a beat is computed; outside it is flat."""


@dataclass(frozen=True)
class Patient:
    """The waves of a patient's normal and premature beats, both [waves, 3] as in `NORMAL`."""

    normal: np.ndarray
    premature: np.ndarray


def draw_patient(generator: np.random.Generator) -> Patient:
    """Draws a patient, whose premature beats all have the same shape.

    The waves of a normal beat differ from `NORMAL` by ±20 % in amplitude, ±10 ms in place and
    ±10 % in width.
    """
    sigma = generator.uniform(18, 26)
    sign = -1 if generator.random() < 0.3 else 1
    premature = np.array([(1.5, 0, sigma), (-0.5, 2.6 * sigma, sigma), (-0.45, 300, 65)])
    premature[:, 0] *= sign
    return Patient(_varied(NORMAL, generator), _varied(premature, generator))


def _varied(waves: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    varied = waves * generator.uniform([0.8, 1, 0.9], [1.2, 1, 1.1], waves.shape)
    varied[waves[:, 1] != 0, 1] += generator.uniform(-10, 10, np.count_nonzero(waves[:, 1]))
    return varied


def beat_waveforms(
    times: np.ndarray, waves: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Returns beats in mV, [beats, points]; the waves of each beat vary by ±5 %.

    Args:
        times: seconds from the R wave, [beats, points].
        waves: [waves, 3] as in `NORMAL`.
        generator: of the variation.
    """
    amplitudes, centres, sigmas = np.moveaxis(
        waves * generator.uniform([0.95, 1, 0.95], [1.05, 1, 1.05], (len(times), *waves.shape)),
        2,
        0,
    )
    total = np.zeros(times.shape)
    for wave in range(len(waves)):
        distance = (times * 1e3 - centres[:, wave, None]) / sigmas[:, wave, None]
        total += amplitudes[:, wave, None] * np.exp(-0.5 * distance**2)
    return total


def draw_rhythm(
    duration: float, premature: bool, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the times of the R waves in seconds, and which of the beats are premature.

    The heart rate is 55-100 beats a minute, with a modulation of 3 % by breathing and a jitter of
    2 %. A premature beat comes after 0.55-0.75 of an interval, and a compensatory pause follows.
    With `premature`, 5-30 % of the beats are premature, and at least three.
    """
    interval = 60 / generator.uniform(55, 100)
    count = int(duration / interval * 1.3) + 8
    breathing = generator.uniform(0.2, 0.3)
    burden = generator.uniform(0.05, 0.30)
    coupling = generator.uniform(0.55, 0.75, count)
    regular = interval * (
        1
        + 0.03 * np.sin(2 * np.pi * breathing * interval * np.arange(count))
        + 0.02 * generator.standard_normal(count)
    )
    kinds = np.zeros(count, bool)
    if premature:
        kinds[2::2] = generator.random(len(kinds[2::2])) < 2 * burden
        certain = generator.choice(
            np.arange(2, int(duration / interval * 0.6), 2), 3, replace=False
        )
        kinds[certain] = True
    intervals = regular * np.where(kinds, coupling, 1)
    after = np.flatnonzero(kinds[:-1]) + 1
    intervals[after] = regular[after] * (2 - coupling[after - 1])
    times = np.cumsum(intervals) - interval * generator.random()
    return times[times < duration], kinds[times < duration]


def strip(
    duration: float, points: int, patient: Patient, premature: bool, generator: np.random.Generator
) -> np.ndarray:
    """Returns a strip, which is a stretch of an ECG with many beats: mV [points], without noise."""
    rhythm, kinds = draw_rhythm(duration, premature, generator)
    span = np.arange(int(-BEFORE * FREQUENCY), int(AFTER * FREQUENCY))
    total = np.zeros(points)
    for waves, chosen in ((patient.normal, rhythm[~kinds]), (patient.premature, rhythm[kinds])):
        nearest = np.round(chosen * FREQUENCY).astype(int)[:, None] + span
        waveforms = beat_waveforms(nearest / FREQUENCY - chosen[:, None], waves, generator)
        inside = (nearest >= 0) & (nearest < points)
        total += np.bincount(nearest[inside], waveforms[inside], points)
    return total


def noise(samples: int, points: int, generator: np.random.Generator) -> np.ndarray:
    """Returns noise in mV, [samples, points].

    It has baseline wander up to 0.15 mV at 0.2-0.3 Hz, mains hum of 10-50 µV at 50 Hz, and white
    noise of 10-30 µV.
    """

    def column(low, high):
        return generator.uniform(low, high, (samples, 1))

    times = np.arange(points) / FREQUENCY
    wander = column(0, 0.15) * np.sin(2 * np.pi * (column(0.2, 0.3) * times + column(0, 1)))
    hum = column(0.010, 0.050) * np.sin(2 * np.pi * (50 * times + column(0, 1)))
    return wander + hum + column(0.010, 0.030) * generator.standard_normal((samples, points))
