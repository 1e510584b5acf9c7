"""A model of a step's time: a fixed cost per step, and a cost per value of the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

RESAMPLES = 999
FEWEST_SIZES = 3
MATTERS = 0.05
"""An API matters while its fixed cost is at least this share of the step's time."""


@dataclass(frozen=True)
class CostModel:
    """Time of a step = `fixed_ms` + `value_ns` x values of the batch.

    Attributes:
        fixed_ms: milliseconds per step.
        fixed: 95 % interval (low, high) of `fixed_ms`, by bootstrap over rounds.
        value_ns: nanoseconds per value.
        value: 95 % interval (low, high) of `value_ns`.
        error: the largest relative distance of a size's median from the model.
        stops_mattering: the number of values in a batch from which on the fixed cost is less than
            `MATTERS` of the step; infinite if a value costs nothing.
        stops: 95 % interval (low, high) of `stops_mattering`.
    """

    fixed_ms: float
    fixed: tuple[float, float]
    value_ns: float
    value: tuple[float, float]
    error: float
    stops_mattering: float
    stops: tuple[float, float]


def fit_cost_model(
    values: np.ndarray, step_ms: list[np.ndarray], seed: int = 0
) -> CostModel | None:
    """Fits the model to the median of each size: least squares of relative errors, no cost below 0.

    Args:
        values: the values of a batch at each size, [sizes].
        step_ms: the milliseconds of a step, one array [rounds] for each size.
        seed: of the bootstrap.

    Returns:
        The model, or None for fewer than `FEWEST_SIZES` sizes.
    """
    if len(values) < FEWEST_SIZES:
        return None
    generator = np.random.default_rng(seed)
    medians = np.array([np.median(rounds) for rounds in step_ms])
    fixed, slope = _fit(values, medians)
    drawn = np.array(
        [
            _fit(
                values,
                np.array([np.median(generator.choice(rounds, len(rounds))) for rounds in step_ms]),
            )
            for _ in range(RESAMPLES)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    error = np.max(np.abs(fixed + slope * values - medians) / medians)
    stops = np.quantile([_stops(*pair) for pair in drawn], [0.025, 0.975])
    return CostModel(
        fixed,
        (low[0], high[0]),
        slope * 1e6,
        (low[1] * 1e6, high[1] * 1e6),
        float(error),
        _stops(fixed, slope),
        (float(stops[0]), float(stops[1])),
    )


def _stops(fixed_ms: float, value_ms: float) -> float:
    return fixed_ms * (1 / MATTERS - 1) / value_ms if value_ms else float("inf")


def _fit(values: np.ndarray, step_ms: np.ndarray) -> tuple[float, float]:
    """Returns (ms per step, ms per value) with the least sum of squared relative errors."""
    scale = values.max()
    matrix = np.stack([np.ones(len(values)), values / scale], axis=1) / step_ms[:, None]
    fixed, slope = optimize.nnls(matrix, np.ones(len(values)))[0]
    return float(fixed), float(slope / scale)
