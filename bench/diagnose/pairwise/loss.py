"""Losses of two ports with equal weights: what explains a difference."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.probes import (
    LossAnalysis,
    RecognisedLoss,
    analyse_loss,
    moderation,
    value_of_hidden_logits,
)
from bench.measure.saturation import right
from bench.parity.pairing import SATURATING, Pairing, View
from bench.parity.result import Explanation

LOSS_TOLERANCE = 1e-3
"""Relative tolerance of a loss."""


def explain_loss(pairing: Pairing) -> list[Explanation]:
    """Returns the causes of a difference in the loss stage."""
    batch = pairing.inputs.batches[0]
    views = (pairing.reference, pairing.candidate)
    moderate = pairing.with_outputs(moderation(pairing.reference, pairing.weights, batch))
    reference, candidate = (analyse_loss(view, moderate, batch) for view in views)
    saturated = [analyse_loss(view, pairing.with_outputs(SATURATING), batch) for view in views]
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


def _hidden(reference: LossAnalysis, candidate: LossAnalysis) -> list[Explanation]:
    values = value_of_hidden_logits(candidate)
    if values is None or value_of_hidden_logits(reference) is not None:
        return []
    return [
        explanation(
            "loss_of_hidden_logits",
            "loss",
            f"the candidate minimises a loss of {values[0]:.6g}; the loss of its predictions is "
            f"{values[1]:.6g}",
        )
    ]


def _not_finite(reference: LossAnalysis, candidate: LossAnalysis) -> list[Explanation]:
    ours, theirs = (
        np.atleast_1d(
            analysis.loss.value if analysis.loss.per_sample is None else analysis.loss.per_sample
        )
        for analysis in (reference, candidate)
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
            f"{wrong.sum()} of {len(theirs)} losses of the candidate are {theirs[wrong][0]} with "
            f"outputs of up to {largest:.4g}; the reference's losses are finite",
        )
    ]


def _wrong_formula(
    reference: LossAnalysis, candidate: LossAnalysis, saturated: LossAnalysis
) -> list[Explanation]:
    recognised = candidate.recognised
    if recognised is None or recognised.cause in ("", reference.cause):
        return []
    return [explanation(recognised.cause, "loss", describe(recognised, saturated))]


def describe(recognised: RecognisedLoss, saturated: LossAnalysis) -> str:
    """Returns the evidence for the formula of a loss; `saturated` is of saturated outputs."""
    values = recognised.activation.value
    text = (
        f"the losses of {len(values)} samples are those of {recognised.formula.name}, computed "
        f"from {recognised.activation.name} (values {values.min():.4g} to {values.max():.4g})"
    )
    if recognised.cause != "activated_outputs":
        return text
    numbers = ""
    if saturated.loss.per_sample is not None and saturated.labels.ndim == 1 and values.shape[1] > 1:
        wrong = float(np.mean(saturated.outputs[-1].value.argmax(axis=1) != saturated.labels))
        numbers = (
            "; with saturated outputs, loss - error rate = "
            f"{saturated.loss.per_sample.mean() - wrong:.4f} ({right(values.shape[1])})"
        )
    return f"the outputs are in [0, 1], but the loss takes logits: {text}{numbers}"


def _multiple(reference: LossAnalysis, candidate: LossAnalysis) -> list[Explanation]:
    """Finds losses of the same samples that are combined differently."""
    per_sample = reference.loss.per_sample
    if per_sample is None or not _same_formula(reference, candidate):
        return []
    ours, theirs = (
        analysis.loss.value - analysis.loss.regularisation for analysis in (reference, candidate)
    )
    if not ours or np.isclose(ours, theirs, rtol=LOSS_TOLERANCE):
        return []
    samples, factor = len(reference.labels), theirs / ours
    weighted = int(np.count_nonzero(per_sample))
    numbers = f"the candidate's loss is {factor:.6g} times the reference's"
    if np.isclose(factor, samples, rtol=LOSS_TOLERANCE):
        return [explanation("sum_for_mean", "loss", f"{numbers}; a batch has {samples} samples")]
    if weighted < samples and np.isclose(factor, samples / weighted, rtol=LOSS_TOLERANCE):
        return [
            explanation(
                "mean_over_nonzero",
                "loss",
                f"{numbers}; of {samples} samples, {weighted} have a weight other than 0",
            )
        ]
    extra = regularisation_of(reference) or regularisation_of(candidate)
    return [] if extra else [explanation("loss_scaled", "loss", numbers)]


def _multiple_in_training(pairing: Pairing, views: tuple[View, View]) -> list[Explanation]:
    """Finds the same with the weights compared, where sample weights are those of training."""
    return _multiple(
        *(analyse_loss(view, pairing.weights, pairing.inputs.batches[0]) for view in views)
    )


def _same_formula(reference: LossAnalysis, candidate: LossAnalysis) -> bool:
    """Returns whether the samples' losses are equal up to a factor."""
    ours, theirs = reference.loss.per_sample, candidate.loss.per_sample
    if ours is None or theirs is None or not ours.any():
        return False
    factor = float(theirs.sum() / ours.sum())
    return bool(
        np.allclose(
            theirs, factor * ours, rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE * np.abs(theirs).max()
        )
    )


def _regularisation(reference: LossAnalysis, candidate: LossAnalysis) -> list[Explanation]:
    ours, theirs = regularisation_of(reference), regularisation_of(candidate)
    if np.isclose(ours, theirs, rtol=LOSS_TOLERANCE, atol=1e-7):
        return []
    numbers = (
        f"regularisation is {theirs:.6g} of the candidate's loss and {ours:.6g} of the reference's"
    )
    if abs(theirs) < LOSS_TOLERANCE * abs(ours) or abs(ours) < LOSS_TOLERANCE * abs(theirs):
        return [explanation("regularisation_not_added", "loss", numbers)]
    if np.isclose(ours / theirs, 2, rtol=LOSS_TOLERANCE) or np.isclose(
        ours / theirs, 0.5, rtol=LOSS_TOLERANCE
    ):
        return [explanation("regularisation_factor_two", "loss", numbers)]
    return [explanation("regularisation_differs", "loss", numbers)]


def regularisation_of(analysis: LossAnalysis) -> float:
    """Returns the part of the minimised loss that is not the samples' mean loss."""
    if analysis.loss.per_sample is None:
        return analysis.loss.regularisation
    rest = analysis.loss.value - float(analysis.loss.per_sample.mean(dtype=np.float64))
    return rest if abs(rest) > 1e-5 * max(1.0, abs(analysis.loss.value)) else 0.0


def _other_formula(reference: LossAnalysis, candidate: LossAnalysis) -> list[Explanation]:
    if reference.recognised is None or candidate.recognised is None:
        return []
    ours, theirs = reference.recognised.formula.name, candidate.recognised.formula.name
    if ours == theirs:
        return []
    return [
        explanation(
            "other_loss",
            "loss",
            f"the candidate's loss is {theirs}; the reference's is {ours}",
        )
    ]
