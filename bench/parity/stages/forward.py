"""The forward stage: every layer's output in evaluation mode and in training mode."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.parity.comparison_state import ComparisonState
from bench.parity.matching import align_activations, same_operation
from bench.parity.pairing import Judged, Pairing, Values, View
from bench.parity.port import Activation, PortBatch, Weights
from bench.parity.result import Difference, Stage, difference_between
from bench.parity.rounding import Judgement, same_bits

FORWARD_MIB = 16
"""Activations of as many samples are compared as fit into this."""

RANDOM_DRAWS = 24
"""Draws of random layers whose statistics are compared."""

ARITHMETIC = frozenset({"Add", "AddV2", "Mul", "RealDiv", "Select", "SelectV2", "Sub"})
"""Operations on single values, with which a random layer scales what it keeps."""

STATISTICS: tuple[tuple[str, Callable[[np.ndarray], np.floating]], ...] = (
    ("share of zeros", lambda values: np.mean(values == 0)),
    ("mean", np.mean),
    ("deviation", np.std),
)


def forward_stage(state: ComparisonState) -> Stage:
    """Compares every activation in evaluation mode and in training mode."""
    pairing = state.pairing
    batch = pairing.inputs.batches[0]
    samples = _samples_that_fit(pairing, batch)
    features = {name: value[:samples] for name, value in batch.features.items()}
    stages = [_forward(pairing, features, training) for training in (False, True)]
    pairing.random = _is_random(pairing, features)
    different = next((stage for stage in stages if stage.verdict == "different"), None)
    rounded = next((stage for stage in stages if stage.verdict == "rounding"), stages[0])
    worst = different or rounded
    notes = list(dict.fromkeys(note for stage in stages for note in stage.notes))
    return Stage("forward", worst.verdict, worst.compared, worst.difference, worst.largest, notes)


@dataclass(frozen=True)
class _Aligned:
    """Activations of both ports, and the index pairs of those that match."""

    mode: str
    reference: list[Activation]
    candidate: list[Activation]
    pairs: list[tuple[int, int]]

    def label(self, row: int, column: int) -> str:
        """Returns the name of a pair in words."""
        first, second = self.reference[row].name, self.candidate[column].name
        return f"{self.mode} mode, {first}" + ("" if first == second else f" ({second})")

    def values(self, answer: list[Activation], rows: dict[int, int]) -> Values:
        """Returns an answer's values by label, in the reference's shapes. `rows` has the index in
        the answer for every index in the reference."""
        return {
            self.label(row, column): answer[rows[row]].value.reshape(
                self.reference[row].value.shape
            )
            for row, column in self.pairs
            if row in rows
        }


def _forward(pairing: Pairing, features: Weights, training: bool) -> Stage:
    """Compares the activations of one mode."""

    def measurement(view: View, draw: int = 0) -> list[Activation]:
        view.set_weights(pairing.weights)
        moved = view.batch(_batch(features)).features
        return view.ask("forward", moved, training, draw)

    reference, candidate = pairing.measure(measurement)
    aligned = _Aligned(
        "training" if training else "evaluation",
        reference,
        candidate,
        align_activations(reference, candidate),
    )

    def values(view: View) -> Values:
        answer = measurement(view)
        if view is pairing.candidate:
            return aligned.values(answer, dict(aligned.pairs))
        if view is pairing.exact:
            return aligned.values(answer, dict(align_activations(reference, answer)))
        return aligned.values(answer, {row: row for row in range(len(reference))})

    judged = pairing.judge(values)
    samples = len(next(iter(features.values())))
    compared = f"{len(aligned.pairs)} activations of {samples} samples, both modes"
    notes = _unmatched_notes(aligned)
    if not aligned.pairs:
        return _without_partners(aligned, compared, notes)
    excused = _excused(aligned, judged.judgements)
    kept = {key: value for key, value in judged.judgements.items() if key not in excused}
    stage = Judged(judged.reference, judged.candidate, kept).stage("forward", compared, notes)
    if stage.verdict == "different" and training and _is_random(pairing, features):
        return _statistics(pairing, measurement, aligned, stage)
    return stage


def _without_partners(aligned: _Aligned, compared: str, notes: list[str]) -> Stage:
    difference = Difference(
        f"{aligned.mode} mode: no activation has a partner of its shape",
        _shapes(aligned.reference),
        _shapes(aligned.candidate),
    )
    return Stage("forward", "different", compared, difference, notes=notes)


def _excused(aligned: _Aligned, judgements: dict[str, Judgement]) -> set[str]:
    """Returns the labels of pairs that may differ: different operations of one shape, after which a
    later pair agrees. They are two ways to compute one layer."""
    excused = set()
    agreed_later = False
    for row, column in reversed(aligned.pairs):
        label = aligned.label(row, column)
        first, second = aligned.reference[row], aligned.candidate[column]
        different = judgements[label].verdict == "different"
        if different and agreed_later and not same_operation(first, second):
            excused.add(label)
        informative = np.ptp(first.value) > 0
        agreed_later = agreed_later or (not different and informative)
    return excused


def _unmatched_notes(aligned: _Aligned) -> list[str]:
    rows = {row for row, _ in aligned.pairs}
    columns = {column for _, column in aligned.pairs}
    return [
        f"no partner for {port}'s {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
        for port, names in (
            ("the reference", _names_without(aligned.reference, rows)),
            ("the candidate", _names_without(aligned.candidate, columns)),
        )
        if names
    ]


def _names_without(activations: list[Activation], places: set[int]) -> list[str]:
    return [activation.name for place, activation in enumerate(activations) if place not in places]


def _is_random(pairing: Pairing, features: Weights) -> bool:
    """Returns whether the reference's activations in training mode depend on the draw."""
    pairing.reference.set_weights(pairing.weights)
    first, again = (pairing.reference.ask("forward", features, True, draw) for draw in (0, 1))
    return any(
        not same_bits(activation.value, other.value) for activation, other in zip(first, again)
    )


def _statistics(
    pairing: Pairing, measurement: Callable[..., list[Activation]], aligned: _Aligned, stage: Stage
) -> Stage:
    """Compares random layers that draw their numbers in another order, by statistics over draws.

    These are the share of zeros, the mean and the deviation, by Welch's test (z above 5). `stage`
    is the result that this one replaces.
    """
    pairing.aligned = False
    draws = [
        pairing.measure(functools.partial(measurement, draw=draw))
        for draw in range(1, RANDOM_DRAWS + 1)
    ]
    for row, column in aligned.pairs:
        if not (_ends_a_layer(draws[0][0], row) and _ends_a_layer(draws[0][1], column)):
            continue
        difference = _statistical_difference(
            aligned.label(row, column),
            [reference[row].value for reference, _ in draws],
            [candidate[column].value for _, candidate in draws],
        )
        if difference:
            return Stage("forward", "different", stage.compared, difference, notes=stage.notes)
    note = (
        f"random layers agree in their statistics over {RANDOM_DRAWS} draws; their numbers come "
        "in another order, so later stages in training mode cannot be compared"
    )
    return Stage("forward", "rounding", stage.compared, notes=[*stage.notes, note])


def _statistical_difference(
    label: str, reference: list[np.ndarray], candidate: list[np.ndarray]
) -> Difference | None:
    """Compares one activation over draws."""
    varies = [_varies(values) for values in (reference, candidate)]
    if varies[0] != varies[1]:
        return difference_between(
            f"{label}, over {RANDOM_DRAWS} draws",
            ("random" if each else "always the same" for each in varies),
        )
    for what, statistic in STATISTICS:
        first, second = (
            np.array([statistic(value) for value in values], np.float64)
            for values in (reference, candidate)
        )
        error = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / RANDOM_DRAWS)
        if abs(first.mean() - second.mean()) > 5 * error + 1e-5 * abs(first.mean()):
            return Difference(
                f"{label}, {what} over {RANDOM_DRAWS} draws",
                f"{first.mean():.6g}",
                f"{second.mean():.6g}",
            )
    return None


def _varies(values: Sequence[np.ndarray]) -> bool:
    return any(not same_bits(value, values[0]) for value in values[1:])


def _ends_a_layer(activations: list[Activation], place: int) -> bool:
    """Returns whether the next operation is more than arithmetic on single values. Ports scale
    before or after they drop."""
    return place + 1 >= len(activations) or activations[place + 1].operation not in ARITHMETIC


def _samples_that_fit(pairing: Pairing, batch: PortBatch) -> int:
    """Returns the number of samples whose activations fit into `FORWARD_MIB`, at least 2."""
    pairing.reference.set_weights(pairing.weights)
    one = {name: value[:1] for name, value in batch.features.items()}
    activations = pairing.reference.ask("forward", one, False, 0)
    bytes_each = sum(activation.value.nbytes for activation in activations) or 1
    return int(np.clip(FORWARD_MIB * 2**20 // bytes_each, 2, len(batch)))


def _batch(features: Weights) -> PortBatch:
    return PortBatch(features, np.zeros(len(next(iter(features.values()))), np.int64))


def _shapes(activations: list[Activation]) -> str:
    return ", ".join(
        f"{activation.name} {list(activation.value.shape)}" for activation in activations[:6]
    )
