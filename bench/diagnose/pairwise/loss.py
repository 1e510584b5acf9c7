"""Losses of two ports at equal weights, and what explains that they differ."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.probes import LossFacts, loss_facts, moderation, value_of_hidden_logits
from bench.measure.saturation import right
from bench.parity.pairing import SATURATING, Pairing, View
from bench.parity.result import Explanation

LOSS_TOLERANCE = 1e-3


def explain_loss(pairing: Pairing) -> list[Explanation]:
    """Causes of a difference in the loss stage."""
    batch = pairing.inputs.batches[0]
    views = (pairing.reference, pairing.candidate)
    moderate = pairing.with_outputs(moderation(pairing.reference, pairing.weights, batch))
    reference, candidate = (loss_facts(view, moderate, batch) for view in views)
    saturated = [loss_facts(view, pairing.with_outputs(SATURATING), batch) for view in views]
    return (
        _hidden(reference, candidate)
        or _not_finite(reference, candidate)
        or _wrong_formula(reference, candidate, saturated[1])
        or _not_finite(*saturated)
        or _multiple(reference, candidate)
        or _multiple_in_training(pairing, views)
        or _regularisation(reference, candidate)
        or _other_formula(reference, candidate)
    )


def _hidden(reference: LossFacts, candidate: LossFacts) -> list[Explanation]:
    values = value_of_hidden_logits(candidate)
    if values is None or value_of_hidden_logits(reference) is not None:
        return []
    return [
        explanation(
            "loss_of_hidden_logits",
            "loss",
            f"the candidate reports a loss of {values[0]:.6g}; that of its "
            f"predictions is {values[1]:.6g}",
        )
    ]


def _not_finite(reference: LossFacts, candidate: LossFacts) -> list[Explanation]:
    ours, theirs = (
        np.atleast_1d(facts.loss.value if facts.loss.per_sample is None else facts.loss.per_sample)
        for facts in (reference, candidate)
    )
    wrong = (
        np.isfinite(ours) & ~np.isfinite(theirs)
        if ours.shape == theirs.shape
        else ~np.isfinite(theirs)
    )
    if not wrong.any():
        return []
    largest = max(
        float(np.abs(activation.value).max())
        for activation in candidate.outputs
        if np.isfinite(activation.value).all()
    )
    return [
        explanation(
            "log_of_zero",
            "loss",
            f"{wrong.sum()} of {len(theirs)} losses are {theirs[wrong][0]} where outputs reach "
            f"{largest:.4g}; the reference's are finite",
        )
    ]


def _wrong_formula(
    reference: LossFacts, candidate: LossFacts, saturated: LossFacts
) -> list[Explanation]:
    cause = candidate.cause
    if not cause or cause == reference.cause:
        return []
    return [explanation(cause, "loss", describe(candidate, saturated))]


def describe(facts: LossFacts, saturated: LossFacts | None = None) -> str:
    """What a loss is found to be, with numbers."""
    values = facts.of.value
    text = (
        f"the losses of {len(values)} samples are those of {facts.formula.name}, of what {facts.of.name} gives "
        f"({values.min():.4g} to {values.max():.4g})"
    )
    if facts.cause != "activated_outputs":
        return text
    numbers = ""
    if (
        saturated is not None
        and saturated.loss.per_sample is not None
        and saturated.labels.ndim == 1
    ):
        wrong = float(np.mean(saturated.outputs[-1].value.argmax(axis=1) != saturated.labels))
        if values.shape[1] > 1:
            numbers = f"; saturated, loss - error rate = {saturated.loss.per_sample.mean() - wrong:.4f} ({right(values.shape[1])})"
    return f"outputs lie in [0, 1], and the loss treats them as logits: {text}{numbers}"


def _multiple(reference: LossFacts, candidate: LossFacts) -> list[Explanation]:
    """The same losses, otherwise added up."""
    if not _same_formula(reference, candidate):
        return []
    ours, theirs = (
        facts.loss.value - facts.loss.regularisation for facts in (reference, candidate)
    )
    if not ours or np.isclose(ours, theirs, rtol=LOSS_TOLERANCE):
        return []
    samples, factor = len(reference.labels), theirs / ours
    weighed = int(np.count_nonzero(reference.loss.per_sample))
    numbers = f"the candidate's loss is {factor:.6g} times the reference's"
    if np.isclose(factor, samples, rtol=LOSS_TOLERANCE):
        return [
            explanation(
                "sum_for_mean", "loss", f"{numbers}, which has {samples} samples in a batch"
            )
        ]
    if weighed < samples and np.isclose(factor, samples / weighed, rtol=LOSS_TOLERANCE):
        return [
            explanation(
                "mean_over_nonzero",
                "loss",
                f"{numbers}: {samples} samples, of which {weighed} have a weight",
            )
        ]
    extra = regularisation_of(reference) or regularisation_of(candidate)
    return [] if extra else [explanation("loss_scaled", "loss", numbers)]


def _multiple_in_training(pairing: Pairing, views: tuple[View, View]) -> list[Explanation]:
    """At the weights compared, where losses weigh as they do in training."""
    return _multiple(
        *(loss_facts(view, pairing.weights, pairing.inputs.batches[0]) for view in views)
    )


def _same_formula(reference: LossFacts, candidate: LossFacts) -> bool:
    """Whether the samples' losses are the same up to a factor."""
    ours, theirs = reference.loss.per_sample, candidate.loss.per_sample
    if ours is None or theirs is None or not ours.any():
        return False
    factor = float(theirs.sum() / ours.sum())
    return bool(
        np.allclose(
            theirs, factor * ours, rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE * np.abs(theirs).max()
        )
    )


def _regularisation(reference: LossFacts, candidate: LossFacts) -> list[Explanation]:
    ours, theirs = regularisation_of(reference), regularisation_of(candidate)
    if np.isclose(ours, theirs, rtol=LOSS_TOLERANCE, atol=1e-7):
        return []
    numbers = (
        f"{theirs:.6g} of the candidate's loss is regularisation, {ours:.6g} of the reference's"
    )
    if abs(theirs) < LOSS_TOLERANCE * abs(ours) or abs(ours) < LOSS_TOLERANCE * abs(theirs):
        return [explanation("regularisation_not_added", "loss", numbers)]
    if np.isclose(ours / theirs, 2, rtol=LOSS_TOLERANCE) or np.isclose(
        ours / theirs, 0.5, rtol=LOSS_TOLERANCE
    ):
        return [explanation("regularisation_factor_two", "loss", numbers)]
    return [explanation("regularisation_differs", "loss", numbers)]


def regularisation_of(facts: LossFacts) -> float:
    """What the value that is minimised has besides the samples' mean loss."""
    if facts.loss.per_sample is None:
        return facts.loss.regularisation
    rest = facts.loss.value - float(facts.loss.per_sample.mean(dtype=np.float64))
    return rest if abs(rest) > 1e-5 * max(1.0, abs(facts.loss.value)) else 0.0


def _other_formula(reference: LossFacts, candidate: LossFacts) -> list[Explanation]:
    if (
        reference.formula is None
        or candidate.formula is None
        or reference.formula.name == candidate.formula.name
    ):
        return []
    return [
        explanation(
            "other_loss",
            "loss",
            f"{candidate.formula.name} against the reference's {reference.formula.name}",
        )
    ]
