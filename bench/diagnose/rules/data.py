"""Faults that are certain, in the data that a training received."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.order import neighbours, passes_of, runs_of_labels
from bench.diagnose.training_record import ContractData, TrainingRecord
from bench.parity.port import Received
from bench.parity.result import Explanation

OFFSET = 3.0
"""Largest mean of the features, relative to their standard deviation.

LeCun et al. 1998, Efficient BackProp, section 4.3, recommend 0. ECG counts measured 0.05 with their
baseline removed, 9 with it.
"""

SCALED = (0.8, 1.25)
"""Range of the features' standard deviation relative to the file's that counts as unscaled.

The first values of 32 samples scatter by less.
"""


def of_data(record: TrainingRecord) -> list[Explanation]:
    """Returns what is wrong with features and labels, and with their order."""
    rules = (_features_not_finite, _order, _partial_batch, _scaled_in_training_only, _offset)
    return [found for rule in rules for found in rule(record)]


def _features_not_finite(record: TrainingRecord) -> list[Explanation]:
    heads = record.received.heads
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


def _order(record: TrainingRecord) -> list[Explanation]:
    received, contract = record.received, record.contract
    if record.fixed_order:
        return []
    first, second = passes_of(received) if contract is None else _two_passes(received, contract)
    if len(set(first)) <= max(received.sizes):  # the data are a single batch
        return []
    if len(first) < 2 * max(received.sizes) or len(first) != len(second):
        return []
    if first == second and len(set(first)) > len(first) // 2:
        if contract is not None and first[: len(contract.order)] != contract.order:
            return [
                explanation(
                    "input_restarts",
                    "data",
                    f"the second pass has the {len(first)} samples of the first in the same "
                    "order, which is not the order of the file",
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
                f"{together:.0%} of the batches occur again with the same samples",
            )
        ]
    runs, expected = runs_of_labels(received)
    if runs < expected:
        return [
            explanation(
                "buffer_too_small",
                "data",
                f"the label changes from one sample to the next in {runs:.0%} of the cases; "
                f"shuffled samples change it in at least {expected:.0%}",
            )
        ]
    return []


def _two_passes(received: Received, contract: ContractData) -> tuple[list[str], list[str]]:
    """Returns the first two passes over the file: as long as it is, or as its batches make them."""
    ends = np.cumsum(received.sizes)
    whole = (
        int(ends[np.searchsorted(ends, contract.samples - contract.batch_size + 1)])
        if ends[-1] >= contract.samples
        else 0
    )
    return received.digests[:whole], received.digests[whole : 2 * whole]


def _partial_batch(record: TrainingRecord) -> list[Explanation]:
    contract, sizes = record.contract, record.received.sizes
    if contract is None:
        return []
    samples, batch_size = contract.samples, contract.batch_size
    multiple = samples % batch_size == 0 or len(sizes) * batch_size < samples
    if not multiple and set(sizes) == {batch_size}:
        return [
            explanation(
                "partial_batch_dropped",
                "data",
                f"every batch has {batch_size} samples, but the number of samples, {samples}, is "
                "not a multiple of it",
            )
        ]
    if record.outputs is not None and len(record.outputs) < contract.evaluation_samples:
        return [
            explanation(
                "partial_batch_dropped",
                "data",
                f"the evaluation uses {len(record.outputs)} samples in full batches of "
                f"{batch_size}; the data have {contract.evaluation_samples}",
            )
        ]
    return []


def scale_of(record: TrainingRecord) -> float | None:
    """Returns the standard deviation of the features received relative to the file's.

    It is None if the file is not known.
    """
    if record.contract is None or not np.isfinite(record.received.heads).all():
        return None
    ours = record.received.heads.astype(np.float64)
    return float(ours.std() / record.contract.heads.std())


def _scaled_in_training_only(record: TrainingRecord) -> list[Explanation]:
    scale = scale_of(record)
    if scale is None or record.evaluated is None or SCALED[0] < scale < SCALED[1]:
        return []
    reported, unscaled, scaled = record.evaluated
    if np.isclose(reported, unscaled, rtol=1e-3) and not np.isclose(reported, scaled, rtol=1e-3):
        return [
            explanation(
                "scaled_in_training_only",
                "data",
                f"training uses features {scale:.4g} times those of the file; the loss that the "
                f"evaluation reports, {reported:.5g}, is that of unscaled features (scaled: "
                f"{scaled:.5g})",
            )
        ]
    return []


def _offset(record: TrainingRecord) -> list[Explanation]:
    heads = record.received.heads.astype(np.float64)
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
                f"the features have a mean of {heads.mean():.4g} and a standard deviation of "
                f"{heads.std():.4g}",
            )
        ]
    return []
