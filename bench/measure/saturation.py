"""What saturated outputs cost: the constants behind a frozen loss.

Outputs already activated by a sigmoid, taken for logits by a softmax cross-entropy, end at 0 or 1. A row of K such outputs, m of
which are 1, then costs ln(m e + K - m), less 1 if the right class is among the m, with a gradient of exactly 0. Of two classes:

    one-hot, right class    ln(1 + 1/e)      = 0.3132617
    one-hot, wrong class    1 + ln(1 + 1/e)  = 1.3132617
    both alike              ln 2             = 0.6931472
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EPSILON = float(np.finfo(np.float32).eps)
"""Within this distance of 0 or 1 the derivative of a float32 sigmoid is 0 for all purposes: 1 - EPSILON is next to 1."""

NO_GRADIENT = 1e-6
"""Below this norm nothing moves: frozen cells measured 0 to 1e-8, training ones above 1e-3 (SageMaker Debugger's vanishing
gradient has 1e-7)."""


@dataclass(frozen=True)
class Constant:
    """A loss with the formula behind it."""

    formula: str
    value: float

    def __str__(self) -> str:
        return f"{self.formula} = {self.value:.4f}"


def right(classes: int) -> Constant:
    """What a one-hot row costs that is right; one that is wrong costs 1 more."""
    return Constant(f"ln(1+{classes - 1}/e)", math.log1p((classes - 1) / math.e))


def alike(classes: int) -> Constant:
    """What a row costs whose outputs are all the same."""
    return Constant(f"ln {classes}", math.log(classes))


@dataclass(frozen=True)
class Rows:
    """How many rows of saturated outputs are one-hot and right, one-hot and wrong, alike in all outputs, or, of more than two
    classes, none of these; `loss` is the mean that they cost, whatever the weights behind them."""

    classes: int
    right: int
    wrong: int
    alike: int
    mixed: int
    loss: float

    @property
    def total(self) -> int:
        """All of them."""
        return self.right + self.wrong + self.alike + self.mixed


def saturated_share(outputs: np.ndarray, kind: str) -> float:
    """Share of the outputs [rows, classes] on a flat end of their activation; logits have no activation, hence 0."""
    return float(np.mean(_at_end(outputs))) if kind == "activated" else 0.0


def saturated_rows(outputs: np.ndarray, labels: np.ndarray) -> Rows | None:
    """The rows by kind, or None if any of the activated outputs [rows, classes] is not saturated."""
    if not np.all(_at_end(outputs)):
        return None
    samples, classes = outputs.shape
    ends = outputs > 0.5
    ones, target = ends.sum(axis=1), ends[np.arange(samples), labels]
    one_hot, all_alike = ones == 1, (ones == 0) | (ones == classes)
    loss = np.log(ones * math.e + classes - ones) - target
    kinds = [
        int(np.count_nonzero(rows))
        for rows in (one_hot & target, one_hot & ~target, all_alike, ~one_hot & ~all_alike)
    ]
    return Rows(classes, *kinds, float(loss.mean()))


def _at_end(outputs: np.ndarray) -> np.ndarray:
    return (outputs <= EPSILON) | (outputs >= 1 - EPSILON)
