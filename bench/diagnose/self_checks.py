"""Checks without a reference: what is wrong with a port, found by running it."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.pairwise.loss import describe
from bench.diagnose.pairwise.metrics import predictions
from bench.diagnose.probes import LINEAR, LossAnalysis, Modes, value_of_hidden_logits
from bench.diagnose.training_record import TrainingRecord
from bench.parity.pairing import View
from bench.parity.port import PortBatch, Variable, Weights
from bench.parity.ports.capture import Listener
from bench.parity.result import Explanation

MOST_DROPPED = 0.65
"""Largest share of values that dropout should drop.

Srivastava et al. 2014, JMLR 15:1929, drop half of the hidden units and a fifth of the inputs.
"""

FAR_STEPS = (0, 10, 100, 1000, 10_000, 100_000)
"""Steps at which the learning rate is read."""

LOSS_TOLERANCE = 1e-3
"""Relative tolerance of a loss."""


def of_loss(analysis: LossAnalysis, saturated: LossAnalysis) -> list[Explanation]:
    """Returns what is wrong with a loss, at the initial weights and with saturated outputs."""
    hidden = value_of_hidden_logits(analysis)
    if hidden is not None:
        return [
            explanation(
                "loss_of_hidden_logits",
                "loss",
                f"the loss that is minimised is {hidden[0]:.6g}; the loss of the predictions is "
                f"{hidden[1]:.6g}",
            )
        ]
    recognised, found = analysis.recognised, []
    if recognised is not None and recognised.cause:
        found.append(explanation(recognised.cause, "loss", describe(recognised, saturated)))
    losses = np.atleast_1d(
        saturated.loss.value if saturated.loss.per_sample is None else saturated.loss.per_sample
    )
    wrong = ~np.isfinite(losses)
    linear = [activation for activation in saturated.outputs if activation.operation in LINEAR]
    if wrong.any() and linear and all(np.isfinite(activation.value).all() for activation in linear):
        found.append(
            explanation(
                "log_of_zero",
                "loss",
                f"if the outputs are multiplied by 1000, {wrong.sum()} of {len(losses)} losses are "
                f"{losses[wrong][0]}",
            )
        )
    if recognised is not None and _is_sum(analysis.loss.value, recognised.losses):
        found.append(
            explanation(
                "sum_for_mean",
                "loss",
                f"the loss of {len(analysis.labels)} samples, {analysis.loss.value:.5g}, is the "
                f"sum of their losses; the mean is {recognised.losses.mean():.5g}",
            )
        )
    if _regularised_for_nothing(analysis):
        found.append(
            explanation(
                "regularisation_not_added",
                "loss",
                f"regularisation losses of {analysis.loss.regularisation:.5g} are collected, but "
                f"the loss of {analysis.loss.value:.5g} is that of the samples alone",
            )
        )
    return found


def _is_sum(value: float, losses: np.ndarray) -> bool:
    """Returns whether a loss is the sum of the samples' losses [samples]."""
    total = float(losses.sum(dtype=np.float64))
    return len(losses) > 1 and total != 0 and bool(np.isclose(value, total, rtol=LOSS_TOLERANCE))


def _regularised_for_nothing(analysis: LossAnalysis) -> bool:
    """Returns whether regularisation losses exist that the loss does not contain."""
    losses = analysis.loss.per_sample
    return (
        losses is not None
        and analysis.loss.regularisation > LOSS_TOLERANCE * abs(analysis.loss.value)
        and bool(np.isclose(analysis.loss.value, losses.mean(), rtol=1e-5))
    )


def of_modes(modes: Modes, variables: list[Variable], record: TrainingRecord) -> list[Explanation]:
    """Returns what is wrong with the training mode or the evaluation mode."""
    if modes.random_in_evaluation:
        return [
            explanation(
                "dropout_in_evaluation",
                "forward",
                "two evaluations of the same batch give different outputs",
            )
        ]
    dropped = modes.dropped()
    if dropped is not None and dropped[1] > MOST_DROPPED:
        return [
            explanation(
                "dropout_rate_inverted",
                "forward",
                f"{dropped[0]} drops {dropped[1]:.0%} of its input values",
            )
        ]
    statistics = [variable.name for variable in variables if not variable.trainable]
    if statistics and modes.alike:
        return [
            explanation(
                "mode_not_passed",
                "forward",
                f"the network has moving statistics ({statistics[0]}), but computes the same in "
                "training mode and in evaluation mode",
            )
        ]
    still = [kernel.name for kernel in record.kernels if not kernel.trainable and kernel.moved == 0]
    if still and not modes.alike:
        return [
            explanation(
                "statistics_not_updated",
                "update",
                f"{', '.join(still)} did not change in {len(record.losses)} steps",
            )
        ]
    return []


def of_update(view: View, weights: Weights, batch: PortBatch) -> list[Explanation]:
    """Finds a learning rate schedule whose steps are not counted."""
    view.set_weights(weights)
    rates = view.ask("learning_rates", list(FAR_STEPS), batch)
    if rates is None or np.ptp(rates) == 0:
        return []
    view.set_weights(weights)
    view.ask("step", batch, 1)
    if view.ask("steps_counted") == 0:
        return [
            explanation(
                "steps_not_counted",
                "update",
                f"the schedule goes from a learning rate of {rates[0]:.4g} to {rates[-1]:.4g} over "
                f"{FAR_STEPS[-1]:,} steps, but after one step its counter is still 0",
            )
        ]
    return []


def of_evaluations(listener: Listener, record: TrainingRecord) -> list[Explanation]:
    """Finds a reported accuracy that is not the accuracy of the final outputs."""
    if (
        not listener.evaluations
        or record.outputs is None
        or record.accuracy is None
        or record.outputs.shape[1] != 2
    ):
        return []
    reported = listener.evaluations[-1]
    if np.isclose(reported["accuracy"], record.accuracy, atol=1e-6):
        return []
    for cause, predicted in predictions(record.outputs).items():
        if np.isclose(reported["accuracy"], np.mean(predicted == record.labels), atol=1e-6):
            return [
                explanation(
                    cause,
                    "metrics",
                    f"the reported accuracy, {reported['accuracy']:.4f}, is not that of the "
                    f"outputs, {record.accuracy:.4f}",
                )
            ]
    return []
