"""Without a reference: what is wrong with a port by what it shows of itself when it is asked."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.pairwise.loss import describe
from bench.diagnose.pairwise.metrics import predictions
from bench.diagnose.probes import LINEAR, LossFacts, Modes, value_of_hidden_logits
from bench.diagnose.training_record import TrainingRecord
from bench.parity.pairing import View
from bench.parity.port import PortBatch, Variable, Weights
from bench.parity.ports.capture import Listener
from bench.parity.result import Explanation

MOST_DROPPED = 0.65
"""Share of values: Srivastava et al. 2014, JMLR 15:1929, drop half of hidden units and a fifth of inputs."""

FAR_STEPS = (0, 10, 100, 1000, 10_000, 100_000)
LOSS_TOLERANCE = 1e-3


def of_loss(facts: LossFacts, saturated: LossFacts) -> list[Explanation]:
    """What is wrong with a loss by its own numbers, at the initial weights and where outputs saturate."""
    hidden = value_of_hidden_logits(facts)
    if hidden is not None:
        return [
            explanation(
                "loss_of_hidden_logits",
                "loss",
                f"the loss that is minimised is {hidden[0]:.6g}; that of the "
                f"predictions is {hidden[1]:.6g}",
            )
        ]
    found = [explanation(facts.cause, "loss", describe(facts, saturated))] if facts.cause else []
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
                f"with outputs 1000 times as large, {wrong.sum()} of {len(losses)} losses are "
                f"{losses[wrong][0]}",
            )
        )
    if facts.formula is not None and _is_sum(facts):
        found.append(
            explanation(
                "sum_for_mean",
                "loss",
                f"the loss of {len(facts.labels)} samples, {facts.loss.value:.5g}, is the sum "
                f"of theirs; their mean is {facts.loss.per_sample.mean():.5g}",
            )
        )
    if _regularised_for_nothing(facts):
        found.append(
            explanation(
                "regularisation_not_added",
                "loss",
                f"regularisation of {facts.loss.regularisation:.5g} is collected; "
                f"the loss of {facts.loss.value:.5g} is that of the samples alone",
            )
        )
    return found


def _is_sum(facts: LossFacts) -> bool:
    total = float(facts.loss.per_sample.sum(dtype=np.float64))
    return (
        len(facts.labels) > 1
        and total != 0
        and bool(np.isclose(facts.loss.value, total, rtol=LOSS_TOLERANCE))
    )


def _regularised_for_nothing(facts: LossFacts) -> bool:
    losses = facts.loss.per_sample
    return (
        losses is not None
        and facts.loss.regularisation > LOSS_TOLERANCE * abs(facts.loss.value)
        and bool(np.isclose(facts.loss.value, losses.mean(), rtol=1e-5))
    )


def of_modes(modes: Modes, variables: list[Variable], watched: TrainingRecord) -> list[Explanation]:
    """What is wrong with training mode against evaluation mode."""
    if modes.random_in_evaluation:
        return [
            explanation(
                "dropout_in_evaluation",
                "forward",
                "evaluated twice, the same batch gives other outputs",
            )
        ]
    dropped = modes.dropped()
    if dropped is not None and dropped[1] > MOST_DROPPED:
        return [
            explanation(
                "dropout_rate_inverted",
                "forward",
                f"{dropped[0]} drops {dropped[1]:.0%} of what it is given",
            )
        ]
    statistics = [variable.name for variable in variables if not variable.trainable]
    if statistics and modes.alike:
        return [
            explanation(
                "mode_not_passed",
                "forward",
                f"it has moving statistics ({statistics[0]}), but computes the same in "
                "training as in evaluation",
            )
        ]
    still = [
        kernel.name for kernel in watched.kernels if not kernel.trainable and kernel.moved == 0
    ]
    if still and not modes.alike:
        return [
            explanation(
                "statistics_not_updated",
                "update",
                f"{', '.join(still)} did not move in {len(watched.losses)} steps",
            )
        ]
    return []


def of_update(view: View, weights: Weights, batch: PortBatch) -> list[Explanation]:
    """Whether a schedule's steps are counted."""
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
                f"the learning rate falls from {rates[0]:.4g} to {rates[-1]:.4g} over "
                f"{FAR_STEPS[-1]:,} steps, but after a step 0 are counted",
            )
        ]
    return []


def of_evaluations(listener: Listener, watched: TrainingRecord) -> list[Explanation]:
    """Whether the last evaluation reported is that of the outputs it ended with."""
    if (
        not listener.evaluations
        or watched.outputs is None
        or watched.accuracy is None
        or watched.outputs.shape[1] != 2
    ):
        return []
    reported = listener.evaluations[-1]
    if np.isclose(reported["accuracy"], watched.accuracy, atol=1e-6):
        return []
    for cause, predicted in predictions(watched.outputs).items():
        if np.isclose(reported["accuracy"], np.mean(predicted == watched.labels), atol=1e-6):
            return [
                explanation(
                    cause,
                    "metrics",
                    f"the accuracy reported, {reported['accuracy']:.4f}, is not that of the outputs, "
                    f"{watched.accuracy:.4f}",
                )
            ]
    return []
