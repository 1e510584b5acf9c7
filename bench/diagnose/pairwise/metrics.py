"""Evaluations and reported losses of two ports: what explains a difference."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.parity.comparison_state import WatchedTrainings
from bench.parity.fixed_weights import THRESHOLD
from bench.parity.inputs import evaluation_batches
from bench.parity.pairing import Pairing, View
from bench.parity.port import Received, Weights
from bench.parity.result import Explanation
from bench.process.group import call_in_child
from bench.task import Task

METRIC_TOLERANCE = 1e-5
"""Relative tolerance of an evaluation's loss.

Means over batches differ from means over samples by 8e-5 or more, float32 sums by 1e-6.
"""

ACCUMULATED = 1e-4
"""Relative tolerance of a mean over the epoch so far."""


def explain_metrics(
    trainings: WatchedTrainings, pairing: Pairing, initial: Weights
) -> list[Explanation]:
    """Returns the causes of a difference in the metrics stage, of ports that report evaluations.

    `initial` are the reference's initial weights.
    """
    reference, candidate = trainings.reference, trainings.candidate
    if not (reference.evaluations and candidate.evaluations):
        return []
    ours, theirs = reference.evaluations[0], candidate.evaluations[0]
    if any(
        not np.isclose(ours[what], theirs[what], rtol=METRIC_TOLERANCE, atol=1e-6)
        for what in ("accuracy", "true_positives", "loss")
    ):
        fixed = trainings.task.initial_weights()
        view = pairing.reference
        view.set_weights({name: fixed.get(name, value) for name, value in initial.items()})
        return _evaluation(view, trainings.task, ours, theirs)
    task = trainings.task
    return _running(reference, candidate, task.dataset.train.batches(task.batch_size))


def _evaluation(
    view: View, task: Task, ours: dict[str, float], theirs: dict[str, float]
) -> list[Explanation]:
    """Explains a difference by the reference's outputs and losses on the evaluation split."""
    batches = call_in_child(evaluation_batches, task.dataset, task.batch_size)
    outputs = np.concatenate(
        [view.ask("forward", batch.features, False, 0)[-1].value for batch in batches]
    )
    labels = np.concatenate([batch.labels for batch in batches])
    numbers = (
        f"for the same outputs, the candidate's accuracy is {theirs['accuracy']:.4f}, the "
        f"reference's is {ours['accuracy']:.4f}"
    )
    counted = ours["true_positives"] != theirs["true_positives"]
    if counted or not np.isclose(ours["accuracy"], theirs["accuracy"], atol=1e-6):
        for cause, predicted in predictions(outputs).items():
            same = not counted or theirs["true_positives"] == np.sum(
                (predicted == 1) & (labels == 1)
            )
            if same and np.isclose(theirs["accuracy"], np.mean(predicted == labels), atol=1e-6):
                return [
                    explanation(
                        cause,
                        "metrics",
                        f"{numbers}; the candidate predicts {_words(cause, predicted)}",
                    )
                ]
        return []
    losses = [view.ask("loss", batch, False, 0).value for batch in batches]
    if np.isclose(theirs["loss"], np.mean(losses), rtol=METRIC_TOLERANCE):
        return [
            explanation(
                "mean_of_batches",
                "metrics",
                f"the candidate's evaluation loss is {theirs['loss']:.6g}, the mean over "
                f"{len(batches)} batches, of which the last has {len(batches[-1])} samples; the "
                f"reference's is {ours['loss']:.6g}",
            )
        ]
    return []


def predictions(outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the classes that known mistakes predict from outputs [samples, 2], by cause."""
    return {
        "accuracy_of_one_class": np.zeros(len(outputs), int),
        "accuracy_by_threshold": (outputs[:, -1] > THRESHOLD).astype(int),
    }


def _words(cause: str, predicted: np.ndarray) -> str:
    return (
        f"class 1 if its output is above {THRESHOLD}"
        if cause == "accuracy_by_threshold"
        else f"class {predicted[0]} for every sample"
    )


def _running(reference: Received, candidate: Received, steps: int) -> list[Explanation]:
    if len(reference.losses) != len(candidate.losses):
        return []
    ours, theirs = (np.array(side.losses[:steps]) for side in (reference, candidate))
    sizes = np.array(reference.sizes[:steps])
    if np.allclose(theirs, np.cumsum(ours * sizes) / np.cumsum(sizes), rtol=ACCUMULATED):
        return [
            explanation(
                "running_loss",
                "metrics",
                f"the candidate reports a loss of {theirs[-1]:.6g} for step {steps}, which is the "
                f"mean over the steps so far; the loss of that step is {ours[-1]:.6g}",
            )
        ]
    return []
