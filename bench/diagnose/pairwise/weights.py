"""Variables and initial weights of two ports, and what explains that they differ."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.parity.matching import Match, Pair
from bench.parity.port import Variable, Weights
from bench.parity.result import Explanation
from bench.parity.rounding import same_bits

WIDE = 3.0
"""Kernels whose deviation is this many times the reference's are of another initialiser, not of another draw."""


def explain_variables(match: Match) -> list[Explanation]:
    """Causes of a difference in the variables stage."""
    if not match.complete:
        return [_unmatched(match.reference_only, match.candidate_only)]
    for pair in match.pairs:
        if pair.reference.dtype != pair.candidate.dtype:
            return [
                explanation(
                    "low_precision",
                    "variables",
                    f"{pair.reference.name} is {pair.candidate.dtype} in the candidate, "
                    f"{pair.reference.dtype} in the reference",
                )
            ]
        if pair.reference.trainable != pair.candidate.trainable:
            where = "reference" if pair.reference.trainable else "candidate"
            return [
                explanation(
                    "not_trainable",
                    "variables",
                    f"{pair.reference.name} is trained in the {where} only",
                )
            ]
    return []


def _unmatched(ours: list[Variable], theirs: list[Variable]) -> Explanation:
    for mine in ours:
        for other in theirs:
            first, second = mine.used_shape, other.used_shape
            if len(first) == len(second) > 1 and first[-1] == second[-1]:
                return explanation(
                    "padding_or_stride",
                    "variables",
                    f"{mine.name} takes {first[0]} inputs, {other.name} of the "
                    f"candidate {second[0]}: what comes before it is of another length",
                )
    named = [
        f"{side} {', '.join(variable.name for variable in variables)}"
        for side, variables in (
            ("only the reference has", ours),
            ("only the candidate has", theirs),
        )
        if variables
    ]
    return explanation("missing_variable", "variables", "; ".join(named))


def explain_initial(
    drawn: tuple[list[Weights], list[Weights]], match: Match, given: bool
) -> list[Explanation]:
    """Causes of a difference in the initial weights, which were `given` to both or drawn by themselves."""
    reference, candidate = drawn[0][0], match.to_reference(drawn[1][0])
    pairs = [pair for pair in match.pairs if _is_drawn(reference[pair.reference.name])]
    other = [
        pair
        for pair in pairs
        if not same_bits(reference[pair.reference.name], candidate[pair.reference.name])
    ]
    constant = [pair for pair in other if np.ptp(candidate[pair.reference.name]) == 0]
    if constant:
        return [
            explanation(
                "constant_initialiser",
                "initial weights",
                f"{_names(constant)}: all values are "
                f"{candidate[constant[0].reference.name].flat[0]:g}",
            )
        ]
    ratios = {
        pair.reference.name: float(
            candidate[pair.reference.name].std() / reference[pair.reference.name].std()
        )
        for pair in other
    }
    wide = [name for name, ratio in ratios.items() if ratio > WIDE]
    if wide and (len(other) == len(pairs) or not given):
        return [
            explanation(
                "initialiser_too_wide",
                "initial weights",
                "deviations are "
                + ", ".join(f"{ratios[name]:.3g} times the reference's in {name}" for name in wide),
            )
        ]
    if given and other and len(other) < len(pairs):
        return [
            explanation(
                "not_restored",
                "initial weights",
                f"{_names(other)} of the candidate "
                f"{'has' if len(other) == 1 else 'have'} other values, of about the same size; the other "
                f"{len(pairs) - len(other)} kernels are the reference's to the bit",
            )
        ]
    return (
        [
            explanation(
                "initialiser_differs",
                "initial weights",
                "deviations relative to the reference's: "
                + ", ".join(f"{name} {ratio:.3g}" for name, ratio in ratios.items()),
            )
        ]
        if ratios
        else _biases(match, reference, candidate)
    )


def _biases(match: Match, reference: Weights, candidate: Weights) -> list[Explanation]:
    for pair in match.pairs:
        ours, theirs = reference[pair.reference.name], candidate[pair.reference.name]
        if not same_bits(ours, theirs):
            return [
                explanation(
                    "initialiser_differs",
                    "initial weights",
                    f"{pair.reference.name} starts at {theirs.flat[0]:g} "
                    f"in the candidate, at {ours.flat[0]:g} in the reference",
                )
            ]
    return []


def _is_drawn(value: np.ndarray) -> bool:
    return value.ndim > 1 and np.ptp(value) > 0


def _names(pairs: list[Pair]) -> str:
    return ", ".join(pair.candidate.name for pair in pairs)
