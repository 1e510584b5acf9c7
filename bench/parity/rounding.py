"""Judges whether two ports differ by more than rounding.

The rule is that of PyTorch's compiler benchmarks (torchbench: `same` in torch/_dynamo/utils.py).
Errors are taken against a float64 reference. The root mean square error of one port may be a small
multiple of the other port's; the multiple is larger for few numbers. Here the better port's error
is the unit. It counts as no smaller than the movement of the reference port's own numbers when its
weights and features are moved by one ULP, at random. One ULP is a unit in the last place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ULP = float(np.finfo(np.float32).eps)
"""One ULP of float32, relative to a number."""

FAR = 1000
"""A port whose error is more than this multiple of the noise computes something else than the
float64 reference."""

SHOWN = 4
"""Number of values shown side by side, around the largest difference."""


@dataclass(frozen=True)
class Judgement:
    """Whether two arrays are the same.

    `verdict` is `bit`, `rounding` or `different`. `error` and `tolerance` are root mean squares.
    `place` is the index of the two values that differ most, `ulps` the distance between them, and
    `values` are some of both arrays around them.
    """

    verdict: str
    error: float = 0.0
    tolerance: float = 0.0
    ulps: float = 0.0
    values: tuple[Sequence[float], Sequence[float]] = ((), ())
    place: tuple[int, ...] = ()

    @property
    def ratio(self) -> float:
        """The error relative to the tolerance."""
        return (
            self.error / self.tolerance if self.tolerance else (0.0 if not self.error else np.inf)
        )


def same_bits(reference: np.ndarray, candidate: np.ndarray) -> bool:
    """Returns whether shapes and values are equal. The dtype does not count."""
    return reference.shape == candidate.shape and bool(
        np.array_equal(reference, candidate, equal_nan=True)
    )


def judge(
    reference: np.ndarray,
    candidate: np.ndarray,
    exact: np.ndarray | None,
    noise: float,
    allowance: float = 0.0,
) -> Judgement:
    """Compares two arrays of the same shape.

    Args:
        reference: the reference port's array.
        candidate: the candidate's array.
        exact: the float64 reference's array, or None.
        noise: root mean square by which the reference port's array moves under a perturbation of
            one ULP.
        allowance: added to the tolerance; the size of a known difference.
    """
    if same_bits(reference, candidate):
        return Judgement("bit")
    reference, candidate = reference.astype(np.float64), candidate.astype(np.float64)
    finite = np.isfinite(reference) & np.isfinite(candidate)
    floor = ULP / 2 * _rms(reference[finite])
    if exact is None:
        better, error = 0.0, _rms(candidate - reference)
    else:
        better, error = sorted((_rms(reference - exact), _rms(candidate - exact)))
        if better > FAR * max(noise, floor):  # `exact` is of another network
            better, error = 0.0, _rms(candidate - reference)
    tolerance = multiple(reference.size) * max(better, noise, floor) + allowance
    within = finite.all() and error <= tolerance
    return Judgement(
        "rounding" if within else "different", error, tolerance, *_largest(reference, candidate)
    )


def multiple(size: int) -> float:
    """Returns how many times larger than the better port's error the other's may be.

    The errors of few numbers scatter more. The multiples are those of torch/_dynamo/utils.py.
    """
    return 10.0 if size <= 10 else 8.0 if size <= 500 else 3.0


def movement(arrays: list[np.ndarray], centre: np.ndarray) -> float:
    """Returns the largest root mean square distance of perturbed arrays from `centre`."""
    return max((_rms(array.astype(np.float64) - centre) for array in arrays), default=0.0)


def perturbed(value: np.ndarray, generator: np.random.Generator, size: float = ULP) -> np.ndarray:
    """Moves each number by `size` of itself, up or down at random. Whole numbers do not move."""
    if value.dtype.kind != "f":
        return value
    signs = generator.choice([-1.0, 1.0], value.shape)
    return (value * (1 + size * signs)).astype(value.dtype)


def ulps_between(first: float, second: float) -> float:
    """Returns the distance of two numbers in float32 ULP of the larger one."""
    if not (np.isfinite(first) and np.isfinite(second)):
        return np.inf
    return float(abs(first - second) / np.spacing(np.float32(max(abs(first), abs(second)))))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def _largest(
    reference: np.ndarray, candidate: np.ndarray
) -> tuple[float, tuple[list[float], list[float]], tuple[int, ...]]:
    """Returns `ulps`, `values` and `place` of the largest difference; see `Judgement`."""
    with np.errstate(invalid="ignore"):
        distance = np.nan_to_num(np.abs(reference - candidate), nan=np.inf)
    place = np.unravel_index(int(distance.argmax()), distance.shape)
    start = max(0, min(int(distance.argmax()) - 1, reference.size - SHOWN))
    shown = slice(start, start + SHOWN)
    return (
        ulps_between(reference[place], candidate[place]),
        (reference.reshape(-1)[shown].tolist(), candidate.reshape(-1)[shown].tolist()),
        tuple(int(axis) for axis in place),
    )
