"""Samples that the training steps of two ports received: what explains a difference."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.order import epochs_of, neighbours, runs_of_labels
from bench.parity.port import Received
from bench.parity.result import Explanation
from bench.parity.stages.structure import same_samples


def explain_data(reference: Received, candidate: Received) -> list[Explanation]:
    """Returns the causes of a difference in the data stage."""
    for hypothesis in (_dropped, _order, _values, _labels):
        found = hypothesis(reference, candidate)
        if found:
            return found
    return []


def _dropped(reference: Received, candidate: Received) -> list[Explanation]:
    whole = max(reference.sizes)
    if min(reference.sizes) < whole and set(candidate.sizes) == {whole}:
        return [
            explanation(
                "partial_batch_dropped",
                "data",
                f"every batch of the candidate has {whole} samples; the last batch of an epoch of "
                f"the reference has {min(reference.sizes)}",
            )
        ]
    return []


def _order(reference: Received, candidate: Received) -> list[Explanation]:
    if not same_samples(reference, candidate):
        return []
    first, second = epochs_of(candidate)
    ours = epochs_of(reference)
    if first == second and ours[0] != ours[1]:
        if first == ours[0]:
            return [
                explanation(
                    "input_restarts",
                    "data",
                    f"both epochs of the candidate have the same {len(first)} samples in "
                    "the order of the reference's first epoch",
                )
            ]
        return [
            explanation(
                "not_shuffled",
                "data",
                f"both epochs of the candidate have the same {len(first)} samples in the "
                "same order",
            )
        ]
    together = neighbours(candidate)
    if together > 0.9:
        return [
            explanation(
                "batches_shuffled",
                "data",
                f"{together:.0%} of the candidate's batches have the same samples in both "
                f"epochs; for the reference it is {neighbours(reference):.0%}",
            )
        ]
    runs, expected = runs_of_labels(candidate)
    if runs < expected:
        return [
            explanation(
                "buffer_too_small",
                "data",
                f"the candidate's label changes from one sample to the next in {runs:.0%} of the "
                f"cases; shuffled samples change it in at least {expected:.0%}",
            )
        ]
    return [
        explanation(
            "order_differs",
            "data",
            "both ports have the same samples, in a different order in every epoch",
        )
    ]


def _values(reference: Received, candidate: Received) -> list[Explanation]:
    if reference.heads.shape != candidate.heads.shape or same_samples(reference, candidate):
        return []
    ours, theirs = (side.heads.astype(np.float64) for side in (reference, candidate))
    spread = ours - ours.mean()
    factor = float((spread * (theirs - theirs.mean())).sum() / max((spread**2).sum(), 1e-30))
    shift = float(theirs.mean() - factor * ours.mean())
    if not np.allclose(
        theirs, factor * ours + shift, rtol=1e-3, atol=1e-3 * max(np.abs(theirs).max(), 1e-30)
    ):
        return [
            explanation(
                "features_differ",
                "data",
                f"the candidate's first values are {theirs[0, :4].tolist()}, the reference's are "
                f"{ours[0, :4].tolist()}: no factor and no shift explains the difference",
            )
        ]
    if abs(factor - 1) > 1e-3:
        sides = (reference, candidate)
        losses = [side.evaluations[0]["loss"] for side in sides if side.evaluations]
        if len(losses) == 2 and np.isclose(losses[0], losses[1], rtol=1e-4):
            return [
                explanation(
                    "scaled_in_training_only",
                    "data",
                    f"the candidate trains on features {factor:.6g} times the reference's, but "
                    f"both evaluations of the same weights give a loss of {losses[0]:.6g}",
                )
            ]
        return [
            explanation(
                "features_scaled",
                "data",
                f"the candidate's features are {factor:.6g} times the reference's",
            )
        ]
    return [
        explanation(
            "features_shifted",
            "data",
            f"the candidate's features are the reference's plus {shift:.6g}",
        )
    ]


def _labels(reference: Received, candidate: Received) -> list[Explanation]:
    if reference.labels.shape != candidate.labels.shape or np.array_equal(
        reference.labels, candidate.labels
    ):
        return []
    differences = np.unique(candidate.labels.astype(np.int64) - reference.labels.astype(np.int64))
    if len(differences) == 1:
        return [
            explanation(
                "shifted_labels",
                "data",
                f"the candidate's labels are the reference's plus {differences[0]}",
            )
        ]
    share = np.mean(candidate.labels != reference.labels)
    return [explanation("other_labels", "data", f"{share:.0%} of the labels differ")]
