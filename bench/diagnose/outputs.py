"""What a finished training says of itself by its outputs alone: those of a cell's raw files, or of a port whose steps were not
seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.formulas import log_softmax
from bench.diagnose.rules.did_train import NEAR_CHANCE
from bench.diagnose.rules.symptoms import ALIKE_OUTPUTS, loss_not_finite
from bench.measure.saturation import EPSILON, NO_GRADIENT, alike, right
from bench.parity.result import Explanation

LOSS_TOLERANCE = 1e-4


@dataclass(frozen=True)
class FinalState:
    """How a training ended: outputs [samples, classes] as handed to the loss, `labels` [samples], the evaluation's `loss` and
    `accuracy` as reported, the gradient norm on a fixed batch (None if unknown), and the losses of its steps."""

    outputs: np.ndarray
    labels: np.ndarray
    loss: float
    accuracy: float
    gradient_norm: float | None
    losses: np.ndarray

    @property
    def right(self) -> float:
        """The accuracy of the outputs themselves, whatever was reported."""
        return float(np.mean(self.outputs.argmax(axis=1) == self.labels))


def near_chance(accuracy: float, labels: np.ndarray) -> bool:
    """Whether it is next to that of always predicting the most frequent of these classes."""
    share = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    return accuracy <= share + NEAR_CHANCE * (1 - share)


def diverged(ended: FinalState) -> bool:
    """Whether a loss or an output is not finite."""
    return not (
        np.isfinite(ended.losses).all()
        and np.isfinite(ended.outputs).all()
        and np.isfinite(ended.loss)
    )


def state_of(ended: FinalState) -> str:
    """`trained`, `not trained` or `diverged`."""
    return (
        "diverged"
        if diverged(ended)
        else "not trained"
        if near_chance(ended.accuracy, ended.labels)
        else "trained"
    )


def explain_outputs(ended: FinalState) -> list[Explanation]:
    """The causes that outputs, loss and gradient tell apart, the likeliest first."""
    if diverged(ended):
        return loss_not_finite(ended.losses) or [
            explanation("rate_too_high", "curve", "an output is not finite")
        ]
    return _activated(ended) or (_dead(ended) if near_chance(ended.accuracy, ended.labels) else [])


def _activated(ended: FinalState) -> list[Explanation]:
    """Outputs that lie in [0, 1], whose loss is that of logits."""
    outputs = ended.outputs.astype(np.float64)
    if (
        outputs.shape[1] < 2
        or outputs.min() < 0
        or outputs.max() > 1
        or (np.ptp(outputs) < 0.01 and not near_chance(ended.accuracy, ended.labels))
    ):
        return []
    as_logits = float(-log_softmax(outputs)[np.arange(len(outputs)), ended.labels].mean())
    if not np.isclose(as_logits, ended.loss, rtol=LOSS_TOLERANCE):
        return []
    saturated = float(np.mean((outputs < EPSILON) | (np.abs(outputs - 1) <= EPSILON)))
    error = 1 - ended.accuracy
    text = (
        f"outputs lie in [0, 1] ({saturated:.0%} of them are 0 or 1), and the loss reported, {ended.loss:.6g}, is the softmax "
        f"cross-entropy of them as if they were logits (loss - error rate = {ended.loss - error:.4f}; saturated and one-hot: "
        f"{right(outputs.shape[1])}; all alike: {alike(outputs.shape[1])})"
    )
    if ended.gradient_norm is not None and ended.gradient_norm < NO_GRADIENT:
        text += f"; the gradient's norm is {ended.gradient_norm:.1g}"
    return [explanation("activated_outputs", "loss", text)]


def _dead(ended: FinalState) -> list[Explanation]:
    """All samples have the same outputs, and those are not saturated."""
    size = float(np.abs(ended.outputs).max())
    spread = float(np.ptp(ended.outputs, axis=0).max())
    if spread > ALIKE_OUTPUTS * max(size, 1e-30):
        return []
    gradient = (
        ""
        if ended.gradient_norm is None
        else f"; the gradient's norm is {ended.gradient_norm:.2g}, that of the last biases"
    )
    first = ", ".join(f"{value:.4g}" for value in ended.outputs[0])
    return [
        explanation(
            "dead_relus",
            "gradients",
            f"all {len(ended.outputs)} samples have the same outputs ({first}), not saturated, so "
            f"nothing of the input arrives; loss {ended.loss:.5g}{gradient}",
        )
    ]
