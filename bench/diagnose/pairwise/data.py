"""What the training steps of two ports received, and what explains that it differs."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.order import epochs_of, neighbours, runs_of_labels
from bench.parity.port import Received
from bench.parity.result import Explanation
from bench.parity.stages.structure import same_samples


def explain_data(reference: Received, candidate: Received) -> list[Explanation]:
    """Causes of a difference in the data stage."""
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
                f"every batch of the candidate has {whole} samples; the reference's "
                f"last of an epoch has {min(reference.sizes)}",
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
                    "the same order, the reference's first",
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
                f"epochs, the reference's {neighbours(reference):.0%}",
            )
        ]
    runs, expected = runs_of_labels(candidate)
    if runs < expected:
        return [
            explanation(
                "buffer_too_small",
                "data",
                f"labels of the candidate change {runs:.0%} of the times from one sample "
                f"to the next; shuffled they would {expected:.0%} at least",
            )
        ]
    return [
        explanation(
            "order_differs", "data", "the same samples in another order, new in every epoch"
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
                f"first values {ours[0, :4].tolist()} against {theirs[0, :4].tolist()}: no "
                "multiple and no shift of them",
            )
        ]
    if abs(factor - 1) > 1e-3:
        evaluations = [
            side.evaluations[0]["loss"] if side.evaluations else None
            for side in (reference, candidate)
        ]
        if None not in evaluations and np.isclose(*evaluations, rtol=1e-4):
            return [
                explanation(
                    "scaled_in_training_only",
                    "data",
                    f"the candidate trains on features {factor:.6g} times the "
                    f"reference's, but both evaluate the same weights to a loss of {evaluations[0]:.6g}",
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
