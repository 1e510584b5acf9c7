"""The loss of saturated outputs: the constants at which a training freezes.

If a softmax cross-entropy takes the outputs of a sigmoid as logits, training drives them to 0 or 1.
A row of K such outputs, of which m are 1, has the loss ln(m e + K - m). The loss is 1 less if the
output of the right class is 1. Its gradient is exactly 0. For two classes:

    one-hot, right class    ln(1 + 1/e)      = 0.3132617
    one-hot, wrong class    1 + ln(1 + 1/e)  = 1.3132617
    both outputs equal      ln 2             = 0.6931472
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EPSILON = float(np.finfo(np.float32).eps)
"""An output is saturated within this distance of 0 or 1: there a float32 sigmoid has no slope left.
The float32 number 1 - EPSILON is next to 1."""

NO_GRADIENT = 1e-6
"""Below this norm of the gradient a training stands still. Frozen cells measured 0 to 1e-8, cells
that trained above 1e-3. (SageMaker Debugger's rule for a vanishing gradient has 1e-7.)"""


@dataclass(frozen=True)
class Constant:
    """The value of a loss, and the formula that it comes from."""

    formula: str
    value: float

    def __str__(self) -> str:
        return f"{self.formula} = {self.value:.4f}"


def right(classes: int) -> Constant:
    """Returns the loss of a one-hot row that is right. The loss of a wrong one is 1 more."""
    return Constant(f"ln(1+{classes - 1}/e)", math.log1p((classes - 1) / math.e))


def alike(classes: int) -> Constant:
    """Returns the loss of a row whose outputs are all equal."""
    return Constant(f"ln {classes}", math.log(classes))


@dataclass(frozen=True)
class Rows:
    """Rows of saturated outputs, counted by kind.

    Attributes:
        classes: the number of outputs in a row.
        right: rows that are one-hot, with the 1 at the right class.
        wrong: rows that are one-hot, with the 1 at a wrong class.
        alike: rows whose outputs are all equal.
        mixed: all other rows, which take more than two classes.
        loss: the mean loss over all rows, computed from the outputs alone.
    """

    classes: int
    right: int
    wrong: int
    alike: int
    mixed: int
    loss: float

    @property
    def total(self) -> int:
        """Number of all rows."""
        return self.right + self.wrong + self.alike + self.mixed


def saturated_share(outputs: np.ndarray, kind: str) -> float:
    """Returns the share of saturated outputs, 0 to 1.

    Args:
        outputs: [rows, classes].
        kind: `logits` or `activated`. Logits have no activation that could saturate: 0.
    """
    return float(np.mean(_at_end(outputs))) if kind == "activated" else 0.0


def saturated_rows(outputs: np.ndarray, labels: np.ndarray) -> Rows | None:
    """Counts rows by kind; returns None if any output is not saturated.

    Args:
        outputs: activated outputs, [rows, classes].
        labels: int [rows].
    """
    if not np.all(_at_end(outputs)):
        return None
    samples, classes = outputs.shape
    ends = outputs > 0.5
    ones, target = ends.sum(axis=1), ends[np.arange(samples), labels]
    one_hot, all_alike = ones == 1, (ones == 0) | (ones == classes)
    loss = np.log(ones * math.e + classes - ones) - target
    return Rows(
        classes,
        right=int(np.count_nonzero(one_hot & target)),
        wrong=int(np.count_nonzero(one_hot & ~target)),
        alike=int(np.count_nonzero(all_alike)),
        mixed=int(np.count_nonzero(~one_hot & ~all_alike)),
        loss=float(loss.mean()),
    )


def _at_end(outputs: np.ndarray) -> np.ndarray:
    return (outputs <= EPSILON) | (outputs >= 1 - EPSILON)
