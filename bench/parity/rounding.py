"""How much rounding a quantity carries, and whether two ports differ by more.

The rule is that of PyTorch's compiler benchmarks (torchbench: `same` in torch/_dynamo/utils.py): against a float64
reference, the root mean square error of one side may be a small multiple of the other side's, larger for few numbers.
Here the better port's error sets the scale, and it is never taken for smaller than what the reference port's own numbers
move by when its weights and features are moved by one ULP, at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ULP = float(np.finfo(np.float32).eps)
FAR = 1000
"""A port whose error is more times the noise than this does not compute what the float64 reference does."""

SHOWN = 4
"""Values shown side by side, around the largest difference."""


@dataclass(frozen=True)
class Judgement:
    """`verdict`: `bit`, `rounding` or `different`; `error` and `tolerance` as root mean squares, in the unit of the
    quantity; `ulps` between the two values that differ most; `values` of both around them."""

    verdict: str
    error: float = 0.0
    tolerance: float = 0.0
    ulps: float = 0.0
    values: tuple[list[float], list[float]] = ((), ())
    place: tuple[int, ...] = ()

    @property
    def ratio(self) -> float:
        """The error relative to the tolerance."""
        return (
            self.error / self.tolerance if self.tolerance else (0.0 if not self.error else np.inf)
        )


def same_bits(reference: np.ndarray, candidate: np.ndarray) -> bool:
    """Equal values in equal shapes, without asking how they are stored."""
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
    """Compares two ports' arrays of the same shape.

    `exact` is the float64 reference's array or None; `noise` the root mean square movement of the reference port's
    array under a perturbation of one ULP; `allowance` is added to the tolerance: the size of a known difference.
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
        if better > FAR * max(noise, floor):  # it is the exact value of something else
            better, error = 0.0, _rms(candidate - reference)
    tolerance = multiple(reference.size) * max(better, noise, floor) + allowance
    within = finite.all() and error <= tolerance
    return Judgement(
        "rounding" if within else "different", error, tolerance, *_largest(reference, candidate)
    )


def multiple(size: int) -> float:
    """How many times the better port's error the other's may be: more for few numbers, whose errors scatter more. The
    sizes and multiples are those of torch/_dynamo/utils.py."""
    return 10.0 if size <= 10 else 8.0 if size <= 500 else 3.0


def movement(arrays: list[np.ndarray], centre: np.ndarray) -> float:
    """The largest root mean square distance of perturbed arrays from the unperturbed one."""
    return max((_rms(array.astype(np.float64) - centre) for array in arrays), default=0.0)


def nudged(value: np.ndarray, generator: np.random.Generator, size: float = ULP) -> np.ndarray:
    """An array of numbers moved by `size` of themselves, up or down at random; whole numbers stay."""
    if value.dtype.kind != "f":
        return value
    signs = generator.choice([-1.0, 1.0], value.shape)
    return (value * (1 + size * signs)).astype(value.dtype)


def ulps_between(first: float, second: float) -> float:
    """Their distance in units in the last place of the larger one, in float32."""
    if not (np.isfinite(first) and np.isfinite(second)):
        return np.inf
    return float(abs(first - second) / np.spacing(np.float32(max(abs(first), abs(second)))))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def _largest(reference: np.ndarray, candidate: np.ndarray):
    with np.errstate(invalid="ignore"):
        distance = np.nan_to_num(np.abs(reference - candidate), nan=np.inf)
    place = np.unravel_index(int(distance.argmax()), distance.shape)
    start = max(0, min(int(distance.argmax()) - 1, reference.size - SHOWN))
    shown = tuple(
        values.reshape(-1)[start : start + SHOWN].tolist() for values in (reference, candidate)
    )
    return (
        ulps_between(reference[place], candidate[place]),
        shown,
        tuple(int(axis) for axis in place),
    )
