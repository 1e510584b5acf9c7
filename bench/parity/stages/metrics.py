"""The metrics stage: the ports' own evaluations, over batches of which the last is partial."""

from __future__ import annotations

import numpy as np

from bench.parity import known_differences
from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import Judged, Pairing, View
from bench.parity.port import Received
from bench.parity.result import Stage
from bench.parity.rounding import judge


def metrics_stage(state: ComparisonState) -> Stage:
    """Compares evaluations: those that two trainings reported, else those that the ports make."""
    if state.trainings is not None:
        trainings = state.trainings
        return _reported(trainings.reference, trainings.candidate, state.pairing.random)
    return _evaluated(state.pairing)


def _evaluated(pairing: Pairing) -> Stage:
    """Compares the ports' own evaluations, and what their outputs say. The last batch is partial."""
    batches = pairing.inputs.evaluation

    def measurement(view: View) -> dict:
        view.set_weights(pairing.weights)
        given = [view.batch(batch) for batch in batches]
        results = {
            _metric_name(name): np.float32(value)
            for name, value in view.ask("evaluate", given).items()
        }
        return {
            **{name: np.array(value) for name, value in results.items()},
            **_counts(view, given),
        }

    judged = pairing.judge(measurement)
    sizes = [len(batch) for batch in batches]
    return known_differences.explain_evaluation_loss(
        pairing,
        judged.stage("metrics", f"{', '.join(judged.judgements)} over batches of {sizes}"),
        judged,
    )


REPORTED_LOSSES = "training losses as reported"


def _reported(reference: Received, candidate: Received, random: bool) -> Stage:
    """Compares the evaluations that contract modules report of the initial weights, in float32, the
    APIs' own precision; and the losses that they report of their steps, unless the steps are
    `random`."""
    if not reference.evaluations or not candidate.evaluations:
        return Stage("metrics", "not seen", "no evaluation was reported")
    first, second = (
        {name: np.array(np.float32(value)) for name, value in side.evaluations[0].items()}
        for side in (reference, candidate)
    )
    if not random and len(reference.losses) == len(candidate.losses):
        first[REPORTED_LOSSES], second[REPORTED_LOSSES] = (
            np.array(side.losses, np.float32) for side in (reference, candidate)
        )
    judged = Judged(
        first, second, {name: judge(first[name], second[name], None, 0.0) for name in first}
    )
    return judged.stage("metrics", f"the evaluation split: {', '.join(first)}")


def _counts(view: View, batches) -> dict:
    """Samples of each class taken for each class, where outputs are one a class and labels are whole numbers."""
    if batches[0].labels.dtype.kind not in "iu" or batches[0].labels.ndim != 1:
        return {}
    outputs = [view.ask("forward", batch.features, False, 0)[-1].value for batch in batches]
    labels = np.concatenate([batch.labels for batch in batches])
    if outputs[0].ndim != 2 or outputs[0].shape[1] < 2:
        return {}
    predicted = np.concatenate(outputs).argmax(axis=1)
    size = outputs[0].shape[1]
    table = np.bincount(
        labels.astype(int).clip(0, size - 1) * size + predicted, minlength=size * size
    )
    return {"counts of (label, predicted)": table.astype(np.float64)}


def _metric_name(name: str) -> str:
    """Keras's `sparse_categorical_accuracy`, `acc` and v1's `accuracy` are one."""
    return (
        "accuracy"
        if name in ("acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")
        else name
    )
