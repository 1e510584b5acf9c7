"""What saturated outputs cost: the constants behind a frozen loss.

Outputs already activated by a sigmoid, taken for logits by a softmax cross-entropy, end at 0 or 1. A row of two such
outputs then costs one of three constants, with a gradient of exactly 0:

    one-hot, right class    ln(1 + 1/e)      = 0.3132617
    one-hot, wrong class    1 + ln(1 + 1/e)  = 1.3132617
    both alike              ln 2             = 0.6931472
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RIGHT = math.log1p(math.exp(-1))
WRONG = 1 + RIGHT
ALIKE = math.log(2)
EPSILON = float(np.finfo(np.float32).eps)
"""Within this distance of 0 or 1 the derivative of a float32 sigmoid is 0 for all purposes: 1 - EPSILON is next to 1."""

NO_GRADIENT = 1e-6
"""Below this norm nothing moves: frozen cells measured 0 to 1e-8, training ones above 1e-3 (SageMaker Debugger's vanishing
gradient has 1e-7)."""


@dataclass(frozen=True)
class Rows:
    """How many rows of saturated outputs are one-hot and right, one-hot and wrong, or alike in both outputs."""

    right: int
    wrong: int
    alike: int

    @property
    def loss(self) -> float:
        """The mean loss that these rows cost, whatever the weights behind them."""
        total = self.right + self.wrong + self.alike
        return (self.right * RIGHT + self.wrong * WRONG + self.alike * ALIKE) / total


def saturated_share(outputs: np.ndarray, loss: str) -> float:
    """Share of the outputs [rows, 2] on a flat end of their activation; logits have no activation, hence 0."""
    return float(np.mean(_at_end(outputs))) if loss == "activated" else 0.0


def saturated_rows(outputs: np.ndarray, labels: np.ndarray) -> Rows | None:
    """The rows by kind, or None if any of the activated outputs [rows, 2] is not saturated."""
    if not np.all(_at_end(outputs)):
        return None
    ends = outputs > 0.5
    alike = ends[:, 0] == ends[:, 1]
    right = ~alike & (ends[np.arange(len(labels)), labels])
    return Rows(int(right.sum()), int((~alike & ~right).sum()), int(alike.sum()))


def _at_end(outputs: np.ndarray) -> np.ndarray:
    return (outputs <= EPSILON) | (outputs >= 1 - EPSILON)
