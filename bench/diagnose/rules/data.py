"""What is certainly wrong with the data that a training received."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.order import neighbours, passes_of, runs_of_labels
from bench.diagnose.training_record import TrainingRecord
from bench.parity.result import Explanation

OFFSET = 3.0
"""Mean of the features over their deviation: LeCun et al. 1998, Efficient BackProp, section 4.3, wants 0; ECG counts measured
0.05 with their baseline removed, 9 with it."""

SCALED = (0.8, 1.25)
"""Features' deviation over the file's: the first values of 32 samples scatter by less."""


def of_data(watched: TrainingRecord) -> list[Explanation]:
    """What is wrong with features and labels, and with their order."""
    rules = (_features_not_finite, _order, _partial_batch, _scaled_in_training_only, _offset)
    return [found for rule in rules for found in rule(watched)]


def _features_not_finite(watched: TrainingRecord) -> list[Explanation]:
    heads = watched.received.heads
    wrong = float(np.mean(~np.isfinite(heads))) if heads.dtype.kind == "f" else 0.0
    return (
        [
            explanation(
                "features_not_finite",
                "data",
                f"{wrong:.0%} of the features' first values are not finite",
            )
        ]
        if wrong
        else []
    )


def _order(watched: TrainingRecord) -> list[Explanation]:
    received, given = watched.received, watched.given
    if watched.in_order:
        return []
    first, second = _two_passes(watched) if given is not None else passes_of(received)
    if len(set(first)) <= max(received.sizes):  # a batch is all there is
        return []
    if len(first) < 2 * max(received.sizes) or len(first) != len(second):
        return []
    if first == second and len(set(first)) > len(first) // 2:
        if given is not None and first[: len(given.order)] != given.order:
            return [
                explanation(
                    "input_restarts",
                    "data",
                    f"the second pass has the {len(first)} samples of the first in the same "
                    "order, which is not the file's",
                )
            ]
        return [
            explanation(
                "not_shuffled",
                "data",
                f"both passes have the same {len(first)} samples in the same order",
            )
        ]
    together = neighbours(received)
    if together > 0.9:
        return [
            explanation(
                "batches_shuffled",
                "data",
                f"{together:.0%} of the batches come again with the same samples",
            )
        ]
    runs, expected = runs_of_labels(received)
    if runs < expected:
        return [
            explanation(
                "buffer_too_small",
                "data",
                f"labels change {runs:.0%} of the times from one sample to the next; "
                f"shuffled they would {expected:.0%} at least",
            )
        ]
    return []


def _two_passes(watched: TrainingRecord) -> tuple[list[str], list[str]]:
    """The first two passes over the file, as long as it is or as its batches make it."""
    received, given = watched.received, watched.given
    ends = np.cumsum(received.sizes)
    whole = (
        int(ends[np.searchsorted(ends, given.samples - given.batch_size + 1)])
        if ends[-1] >= given.samples
        else 0
    )
    return received.digests[:whole], received.digests[whole : 2 * whole]


def _partial_batch(watched: TrainingRecord) -> list[Explanation]:
    given, sizes = watched.given, watched.received.sizes
    if given is None:
        return []
    multiple = (
        given.samples % given.batch_size == 0 or len(sizes) * given.batch_size < given.samples
    )
    if not multiple and set(sizes) == {given.batch_size}:
        return [
            explanation(
                "partial_batch_dropped",
                "data",
                f"every batch has {given.batch_size} samples, and {given.samples} are no "
                "multiple of that",
            )
        ]
    if watched.outputs is not None and len(watched.outputs) < given.evaluation_samples:
        return [
            explanation(
                "partial_batch_dropped",
                "data",
                f"it evaluates {len(watched.outputs)} samples, full batches of "
                f"{given.batch_size}; there are {given.evaluation_samples}",
            )
        ]
    return []


def scale_of(watched: TrainingRecord) -> float | None:
    """Deviation of the features received over that of the file's; None if the file is not known."""
    if watched.given is None or not np.isfinite(watched.received.heads).all():
        return None
    ours = watched.received.heads.astype(np.float64)
    return float(ours.std() / watched.given.heads.std())


def _scaled_in_training_only(watched: TrainingRecord) -> list[Explanation]:
    scale = scale_of(watched)
    if scale is None or watched.evaluated is None or SCALED[0] < scale < SCALED[1]:
        return []
    reported, unscaled, scaled = watched.evaluated
    if np.isclose(reported, unscaled, rtol=1e-3) and not np.isclose(reported, scaled, rtol=1e-3):
        return [
            explanation(
                "scaled_in_training_only",
                "data",
                f"it trains on features {scale:.4g} times those of the file; the loss "
                f"it reports of its evaluation, {reported:.5g}, is that of unscaled features (scaled: {scaled:.5g})",
            )
        ]
    return []


def _offset(watched: TrainingRecord) -> list[Explanation]:
    heads = watched.received.heads.astype(np.float64)
    if (
        heads.size
        and np.isfinite(heads).all()
        and heads.std() > 0
        and abs(heads.mean()) > OFFSET * heads.std()
        and heads.std() > 1
    ):
        return [
            explanation(
                "features_shifted",
                "data",
                f"features have a mean of {heads.mean():.4g} and a deviation of {heads.std():.4g}",
            )
        ]
    return []
