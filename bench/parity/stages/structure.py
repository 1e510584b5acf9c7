"""The stages before any computation: data, variables, initial weights."""

from __future__ import annotations

from collections import Counter

import numpy as np

from bench.parity.comparison_state import ComparisonState
from bench.parity.matching import Match
from bench.parity.port import Received, Weights
from bench.parity.result import Difference, Stage, difference_between
from bench.parity.rounding import same_bits

SIGNIFICANCE = 1e-4
"""Probability of calling equal initialisers different, over all variables together."""


def data_stage(state: ComparisonState) -> Stage:
    """Compares what the training steps of both ports received."""
    if state.trainings is None:
        return Stage(
            "data",
            "not seen",
            f"a function brings no data; both are given {state.inputs.source}",
        )
    reference, candidate = state.trainings.reference, state.trainings.candidate
    compared = (
        f"{len(reference.digests):,} samples in {len(reference.sizes)} batches over two epochs, "
        f"the last of {reference.sizes[-1]}"
    )
    difference = _data_difference(reference, candidate)
    return Stage("data", "different" if difference else "bit", compared, difference)


def _data_difference(reference: Received, candidate: Received) -> Difference | None:
    for what in ("feature_dtype", "label_dtype"):
        first, second = getattr(reference, what), getattr(candidate, what)
        if first != second:
            return Difference(what.replace("_", " "), first, second)
    ports = (reference, candidate)
    place = _first_difference(reference.digests, candidate.digests)
    if place is not None:
        return _samples_difference(reference, candidate, place)
    place = _first_difference(reference.sizes, candidate.sizes)
    if place is not None:
        return difference_between(
            f"size of batch {place + 1}", (str(port.sizes[place : place + 3]) for port in ports)
        )
    place = _first_difference(reference.labels.tolist(), candidate.labels.tolist())
    if place is not None:
        return difference_between(
            f"label of sample {place}", (str(port.labels[place]) for port in ports)
        )
    return None


def _samples_difference(reference: Received, candidate: Received, place: int) -> Difference:
    """Returns how the samples differ, of which the one at `place` is the first to differ."""
    ports = (reference, candidate)
    batch = int(np.searchsorted(np.cumsum(reference.sizes), place, side="right"))
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(reference.digests))}
    arrived = [
        numbers.get(port.digests[place]) if place < len(port.digests) else None for port in ports
    ]
    if None not in arrived and same_samples(reference, candidate):
        return difference_between(
            f"order of samples, from batch {batch + 1}", (f"sample {number}" for number in arrived)
        )
    if len({len(set(port.sizes)) for port in ports}) > 1 or (
        len(candidate.digests) != len(reference.digests)
    ):
        return difference_between(
            "samples received",
            (f"{len(port.digests)}, last batch of {port.sizes[-1]}" for port in ports),
        )
    return difference_between(
        f"sample {place}, in batch {batch + 1}, first values",
        (str(port.heads[place].tolist()) for port in ports),
    )


def same_samples(reference: Received, candidate: Received) -> bool:
    """Returns whether both received the same samples equally often, in any order."""
    return Counter(reference.digests) == Counter(candidate.digests)


def _first_difference(first: list, second: list) -> int | None:
    if first == second:
        return None
    unequal = (place for place, pair in enumerate(zip(first, second)) if pair[0] != pair[1])
    return next(unequal, min(len(first), len(second)))


def variables_stage(state: ComparisonState) -> Stage:
    """Compares count, shape, dtype and trainability. Names are reported, and may differ."""
    match = state.match
    pairs = match.pairs
    parameters = sum(int(np.prod(pair.reference.shape)) for pair in pairs)
    compared = f"{len(pairs)} variables, {parameters:,} values"
    notes = []
    renamed = [pair for pair in pairs if pair.reference.name != pair.candidate.name]
    if renamed:
        by = ", ".join(
            f"{number} by {rule}" for rule, number in Counter(pair.by for pair in pairs).items()
        )
        notes.append(
            f"names differ ({renamed[0].reference.name} is {renamed[0].candidate.name}); "
            f"matched {by}"
        )
    relaid = [
        pair
        for pair in pairs
        if pair.reference.shape != pair.candidate.shape
        or pair.reference.layout != pair.candidate.layout
    ]
    if relaid:
        notes.append(
            "stored in another layout: "
            + ", ".join(
                f"{pair.reference.name} {list(pair.reference.shape)} "
                f"as {list(pair.candidate.shape)}"
                for pair in relaid
            )
        )
    difference = _variables_difference(match)
    return Stage(
        "variables", "different" if difference else "bit", compared, difference, notes=notes
    )


def _variables_difference(match: Match) -> Difference | None:
    if not match.complete:
        unmatched = (
            ", ".join(f"{variable.name} {list(variable.shape)}" for variable in port) or "none"
            for port in (match.reference_only, match.candidate_only)
        )
        return difference_between("variables without a partner (--map FILE can name it)", unmatched)
    for pair in match.pairs:
        for what in ("dtype", "trainable"):
            first, second = getattr(pair.reference, what), getattr(pair.candidate, what)
            if first != second:
                return Difference(f"{what} of {pair.reference.name}", str(first), str(second))
    return None


def initial_stage(state: ComparisonState) -> Stage:
    """Compares initial weights: equal where the task gives them, else of the same distribution."""
    reference, candidate = state.initial_weights
    translated = [state.match.to_reference(weights) for weights in candidate]
    stage = (
        _equal_weights(reference[0], translated[0])
        if state.weights_given
        else _same_distribution(reference, translated, state.match)
    )
    if state.match.complete:
        state.check_reference_loss()
    return stage


def _same_distribution(reference: list[Weights], candidate: list[Weights], match: Match) -> Stage:
    """Compares draws by the two-sample Kolmogorov-Smirnov test (`scipy.stats.ks_2samp`) with
    Bonferroni's correction."""
    draws = min(len(reference), len(candidate))
    compared = f"distribution of {len(match.pairs)} variables over {draws} draws"
    limit = SIGNIFICANCE / max(1, len(match.pairs))
    smallest = 1.0
    for pair in match.pairs:
        name = pair.reference.name
        first, second = (
            np.concatenate([weights[name].ravel() for weights in drawn])
            for drawn in (reference, candidate)
        )
        chance = _chance(first, second)
        if chance < limit:
            constant = np.ptp(first) == 0 or np.ptp(second) == 0
            what = name if constant else f"{name} (chance {chance:.1e} if drawn alike)"
            difference = Difference(what, _spread(first), _spread(second))
            return Stage("initial weights", "different", compared, difference)
        smallest = min(smallest, chance)
    note = (
        f"same distribution as far as the test sees (smallest p {smallest:.2g}); "
        "equality is not asked"
    )
    return Stage("initial weights", "rounding", compared, notes=[note])


def _chance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the p-value of two arrays: the probability of so large a difference if both are drawn
    from one distribution. Whole numbers are not compared; constants must be equal."""
    from scipy.stats import ks_2samp  # takes a second to load

    if first.dtype.kind != "f":
        return 1.0
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float(np.ptp(first) == np.ptp(second) and first[0] == second[0])
    return float(ks_2samp(first, second).pvalue)


def _equal_weights(reference: Weights, candidate: Weights) -> Stage:
    compared = f"{len(reference)} variables, given by the task"
    for name, value in reference.items():
        if name in candidate and not same_bits(value, candidate[name]):
            return Stage(
                "initial weights",
                "different",
                compared,
                Difference(name, _spread(value), _spread(candidate[name])),
            )
    return Stage("initial weights", "bit", compared)


def _spread(values: np.ndarray) -> str:
    return (
        f"mean {values.mean():.4g}, deviation {values.std():.4g}, "
        f"from {values.min():.4g} to {values.max():.4g}"
    )
