"""What the outputs of a finished training show by themselves.

They come from a cell's raw files, or from a port whose steps could not be watched.
"""

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
"""Relative tolerance of a loss that is computed again from the outputs."""


@dataclass(frozen=True)
class FinalState:
    """How a training ended.

    Attributes:
        outputs: the input of the loss for the evaluation samples, [samples, classes].
        labels: labels of the samples, [samples].
        loss: loss of the last evaluation, as reported.
        accuracy: accuracy of the last evaluation, as reported.
        gradient_norm: norm of the gradient on a fixed batch; None if not known.
        losses: losses of the training steps, [steps].
    """

    outputs: np.ndarray
    labels: np.ndarray
    loss: float
    accuracy: float
    gradient_norm: float | None
    losses: np.ndarray

    @property
    def right(self) -> float:
        """Accuracy of the outputs themselves, which the reported accuracy should equal."""
        return float(np.mean(self.outputs.argmax(axis=1) == self.labels))


def near_chance(accuracy: float, labels: np.ndarray) -> bool:
    """Returns whether an accuracy is close to that of always predicting the most frequent class."""
    share = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    return accuracy <= share + NEAR_CHANCE * (1 - share)


def diverged(final: FinalState) -> bool:
    """Returns whether a loss or an output is not finite."""
    return not (
        np.isfinite(final.losses).all()
        and np.isfinite(final.outputs).all()
        and np.isfinite(final.loss)
    )


def state_of(final: FinalState) -> str:
    """Returns `trained`, `not trained` or `diverged`."""
    return (
        "diverged"
        if diverged(final)
        else "not trained"
        if near_chance(final.accuracy, final.labels)
        else "trained"
    )


def explain_outputs(final: FinalState) -> list[Explanation]:
    """Returns the causes that show in outputs, loss and gradient, the likeliest first."""
    if diverged(final):
        return loss_not_finite(final.losses) or [
            explanation("rate_too_high", "curve", "an output is not finite")
        ]
    return _activated(final) or (_dead(final) if near_chance(final.accuracy, final.labels) else [])


def _activated(final: FinalState) -> list[Explanation]:
    """Finds outputs in [0, 1] with the loss of logits."""
    outputs = final.outputs.astype(np.float64)
    if (
        outputs.shape[1] < 2
        or outputs.min() < 0
        or outputs.max() > 1
        or (np.ptp(outputs) < 0.01 and not near_chance(final.accuracy, final.labels))
    ):
        return []
    as_logits = float(-log_softmax(outputs)[np.arange(len(outputs)), final.labels].mean())
    if not np.isclose(as_logits, final.loss, rtol=LOSS_TOLERANCE):
        return []
    saturated = float(np.mean((outputs < EPSILON) | (np.abs(outputs - 1) <= EPSILON)))
    error = 1 - final.accuracy
    text = (
        f"the outputs are in [0, 1] ({saturated:.0%} of them are 0 or 1), and the reported loss, "
        f"{final.loss:.6g}, is the softmax cross-entropy of the outputs taken as logits (loss - "
        f"error rate = {final.loss - error:.4f}; saturated and one-hot: "
        f"{right(outputs.shape[1])}; all equal: {alike(outputs.shape[1])})"
    )
    if final.gradient_norm is not None and final.gradient_norm < NO_GRADIENT:
        text += f"; the norm of the gradient is {final.gradient_norm:.1g}"
    return [explanation("activated_outputs", "loss", text)]


def _dead(final: FinalState) -> list[Explanation]:
    """Finds outputs that are the same for all samples and are not saturated."""
    size = float(np.abs(final.outputs).max())
    spread = float(np.ptp(final.outputs, axis=0).max())
    if spread > ALIKE_OUTPUTS * max(size, 1e-30):
        return []
    gradient = (
        ""
        if final.gradient_norm is None
        else f"; the norm of the gradient, {final.gradient_norm:.2g}, is that of the last biases"
    )
    first = ", ".join(f"{value:.4g}" for value in final.outputs[0])
    return [
        explanation(
            "dead_relus",
            "gradients",
            f"all {len(final.outputs)} samples have the same outputs ({first}), which are not "
            f"saturated: the input has no effect; the loss is {final.loss:.5g}{gradient}",
        )
    ]
