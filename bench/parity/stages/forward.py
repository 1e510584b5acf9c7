"""The forward stage: every layer's output, in evaluation mode and in training mode, at equal weights."""

from __future__ import annotations

import numpy as np

from bench.parity.comparison_state import ComparisonState
from bench.parity.matching import align_activations, same_operation
from bench.parity.pairing import Judged, Pairing, View
from bench.parity.port import Activation, PortBatch
from bench.parity.result import Difference, Stage
from bench.parity.rounding import Judgement, same_bits

FORWARD_MIB = 16
"""The layers of as many samples are compared as fit into this."""

RANDOM_DRAWS = 24
ARITHMETIC = frozenset({"Add", "AddV2", "Mul", "RealDiv", "Select", "SelectV2", "Sub"})


def forward_stage(state: ComparisonState) -> Stage:
    """Every activation in evaluation mode and in training mode."""
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


def _forward(pairing: Pairing, features: dict, training: bool) -> Stage:
    mode = "training" if training else "evaluation"

    def measurement(view: View, draw: int = 0) -> dict[str, Activation]:
        view.set_weights(pairing.weights)
        moved = view.batch(_batch(features)).features
        return dict(enumerate(view.ask("forward", moved, training, draw)))

    reference, candidate = pairing.measure(measurement)
    pairs = _aligned(reference, candidate)
    labels = {
        row: f"{mode} mode, {reference[row].name}"
        + ("" if reference[row].name == candidate[column].name else f" ({candidate[column].name})")
        for row, column in pairs
    }

    def values(view: View) -> dict:
        answer = measurement(view)
        if view is pairing.candidate:
            return {
                labels[row]: answer[column].value.reshape(reference[row].value.shape)
                for row, column in pairs
            }
        places = dict(pairs)
        shared = (
            dict(_aligned(reference, answer))
            if view is pairing.exact
            else {row: row for row in reference}
        )
        return {
            labels[row]: answer[shared[row]].value.reshape(reference[row].value.shape)
            for row in places
            if row in shared
        }

    judged = pairing.judge(values)
    compared = (
        f"{len(pairs)} activations of {len(next(iter(features.values())))} samples, both modes"
    )
    notes = _unmatched_notes(reference, candidate, pairs)
    dead = _excused(reference, candidate, pairs, labels, judged.judgements)
    kept = {key: judgement for key, judgement in judged.judgements.items() if key not in dead}
    stage = Judged(judged.reference, judged.candidate, kept).stage("forward", compared, notes)
    if stage.verdict == "different" and training and _is_random(pairing, features):
        return _statistics(pairing, measurement, pairs, labels, stage)
    if not pairs:
        return Stage(
            "forward",
            "different",
            compared,
            Difference(
                f"{mode} mode: no activation has a partner of its shape",
                _shapes(reference),
                _shapes(candidate),
            ),
            notes=notes,
        )
    return stage


def _aligned(
    reference: dict[int, Activation], other: dict[int, Activation]
) -> list[tuple[int, int]]:
    return align_activations(list(reference.values()), list(other.values()))


def _excused(reference, candidate, pairs, labels, judgements: dict[str, Judgement]) -> set[str]:
    """Different operations of one shape that differ while a later pair agrees: two ways of computing one layer."""
    excused = set()
    agreed_later = False
    for row, column in reversed(pairs):
        different = judgements[labels[row]].verdict == "different"
        if different and agreed_later and not same_operation(reference[row], candidate[column]):
            excused.add(labels[row])
        informative = np.ptp(reference[row].value) > 0
        agreed_later = agreed_later or (not different and informative)
    return excused


def _unmatched_notes(reference, candidate, pairs) -> list[str]:
    alone = [activation.name for row, activation in reference.items() if row not in dict(pairs)]
    others = [
        activation.name
        for column, activation in candidate.items()
        if column not in {column for _, column in pairs}
    ]
    return [
        f"no partner for {side}'s {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
        for side, names in (("the reference", alone), ("the candidate", others))
        if names
    ]


def _is_random(pairing: Pairing, features: dict) -> bool:
    pairing.reference.set_weights(pairing.weights)
    first, again = (pairing.reference.ask("forward", features, True, draw) for draw in (0, 1))
    return any(
        not same_bits(activation.value, other.value) for activation, other in zip(first, again)
    )


def _statistics(pairing: Pairing, measurement, pairs, labels, stage: Stage) -> Stage:
    """Random layers whose numbers do not come in the same order: share of zeros, mean and deviation over draws, by
    Welch's test on draws (z above 5)."""
    pairing.aligned = False
    draws = [
        pairing.measure(lambda view, draw=draw: measurement(view, draw))
        for draw in range(1, RANDOM_DRAWS + 1)
    ]
    for row, column in pairs:
        if not (_ends_a_layer(draws[0][0], row) and _ends_a_layer(draws[0][1], column)):
            continue
        varies = [
            _varies([draw[side][place].value for draw in draws])
            for side, place in enumerate((row, column))
        ]
        if varies[0] != varies[1]:
            return Stage(
                "forward",
                "different",
                stage.compared,
                Difference(
                    f"{labels[row]}, over {RANDOM_DRAWS} draws",
                    *("random" if each else "always the same" for each in varies),
                ),
                notes=stage.notes,
            )
        for what, statistic in (
            ("share of zeros", lambda x: np.mean(x == 0)),
            ("mean", np.mean),
            ("deviation", np.std),
        ):
            first = np.array(
                [statistic(reference[row].value) for reference, _ in draws], np.float64
            )
            second = np.array(
                [statistic(candidate[column].value) for _, candidate in draws], np.float64
            )
            error = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / RANDOM_DRAWS)
            if abs(first.mean() - second.mean()) > 5 * error + 1e-5 * abs(first.mean()):
                return Stage(
                    "forward",
                    "different",
                    stage.compared,
                    Difference(
                        f"{labels[row]}, {what} over {RANDOM_DRAWS} draws",
                        f"{first.mean():.6g}",
                        f"{second.mean():.6g}",
                    ),
                    notes=stage.notes,
                )
    return Stage(
        "forward",
        "rounding",
        stage.compared,
        notes=[
            *stage.notes,
            f"random layers agree in their statistics over {RANDOM_DRAWS} draws; their numbers come in another "
            "order, so later stages in training mode cannot be compared",
        ],
    )


def _varies(values: list[np.ndarray]) -> bool:
    return any(not same_bits(value, values[0]) for value in values[1:])


def _ends_a_layer(activations: dict[int, Activation], place: int) -> bool:
    """Whether what comes next is more than arithmetic on single values: ports scale before or after they drop."""
    return place + 1 not in activations or activations[place + 1].operation not in ARITHMETIC


def _samples_that_fit(pairing: Pairing, batch) -> int:
    pairing.reference.set_weights(pairing.weights)
    one = {name: value[:1] for name, value in batch.features.items()}
    bytes_each = (
        sum(
            activation.value.nbytes
            for activation in pairing.reference.ask("forward", one, False, 0)
        )
        or 1
    )
    return int(np.clip(FORWARD_MIB * 2**20 // bytes_each, 2, len(batch)))


def _batch(features: dict):
    return PortBatch(features, np.zeros(len(next(iter(features.values()))), np.int64))


def _shapes(activations: dict[int, Activation]) -> str:
    return ", ".join(
        f"{activation.name} {list(activation.value.shape)}"
        for activation in list(activations.values())[:6]
    )
