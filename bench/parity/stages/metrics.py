"""The metrics stage: the ports' own evaluations. The last batch is partial."""

from __future__ import annotations

import numpy as np

from bench.parity import known_differences
from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import Judged, Pairing, Values, View
from bench.parity.port import PortBatch, Received
from bench.parity.result import Stage
from bench.parity.rounding import judge

REPORTED_LOSSES = "training losses as reported"


def metrics_stage(state: ComparisonState) -> Stage:
    """Compares evaluations: those that two trainings reported, else those that the ports make."""
    if state.trainings is not None:
        trainings = state.trainings
        return _reported(trainings.reference, trainings.candidate, state.pairing.random)
    return _evaluated(state.pairing)


def _evaluated(pairing: Pairing) -> Stage:
    """Compares the ports' own evaluations, and counts of their outputs."""
    batches = pairing.inputs.evaluation

    def measurement(view: View) -> Values:
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


def _reported(reference: Received, candidate: Received, random: bool) -> Stage:
    """Compares the evaluations that contract modules report of the initial weights, in float32, the
    APIs' own precision; and the losses that they report of their steps, unless the steps are
    `random`."""
    if not reference.evaluations or not candidate.evaluations:
        return Stage("metrics", "not seen", "no evaluation was reported")
    with_losses = not random and len(reference.losses) == len(candidate.losses)
    first, second = (_float32(port, with_losses) for port in (reference, candidate))
    judged = Judged(
        {**first}, {**second}, {name: judge(first[name], second[name], None, 0.0) for name in first}
    )
    return judged.stage("metrics", f"the evaluation split: {', '.join(first)}")


def _float32(received: Received, with_losses: bool) -> dict[str, np.ndarray]:
    """Returns the first evaluation and, if asked, the losses of all steps."""
    values = {name: np.array(value, np.float32) for name, value in received.evaluations[0].items()}
    if with_losses:
        values[REPORTED_LOSSES] = np.array(received.losses, np.float32)
    return values


def _counts(view: View, batches: list[PortBatch]) -> dict[str, np.ndarray]:
    """Counts the samples of each class that are taken for each class; nothing where outputs are not
    one per class, or labels are no whole numbers."""
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
    """Returns one name for Keras's `acc`, `sparse_categorical_accuracy` and others of accuracy."""
    return (
        "accuracy"
        if name in ("acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")
        else name
    )
