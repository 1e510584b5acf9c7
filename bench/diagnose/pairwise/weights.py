"""Variables and initial weights of two ports: what explains a difference."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.parity.matching import Match, Pair
from bench.parity.port import Variable, Weights
from bench.parity.result import Explanation
from bench.parity.rounding import same_bits

WIDE = 3.0
"""Smallest ratio of standard deviations that shows another initialiser, not another draw."""


def explain_variables(match: Match) -> list[Explanation]:
    """Returns the causes of a difference in the variables stage."""
    if not match.complete:
        return [_unmatched(match.reference_only, match.candidate_only)]
    for pair in match.pairs:
        if pair.reference.dtype != pair.candidate.dtype:
            return [
                explanation(
                    "low_precision",
                    "variables",
                    f"{pair.reference.name} is {pair.candidate.dtype} in the candidate and "
                    f"{pair.reference.dtype} in the reference",
                )
            ]
        if pair.reference.trainable != pair.candidate.trainable:
            where = "reference" if pair.reference.trainable else "candidate"
            return [
                explanation(
                    "not_trainable",
                    "variables",
                    f"{pair.reference.name} is trained only in the {where}",
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
                    f"{mine.name} has {first[0]} inputs, the candidate's {other.name} has "
                    f"{second[0]}: the layer before it has outputs of another length",
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
    """Returns the causes of a difference in the initial weights.

    Args:
        drawn: initial weights of the reference and of the candidate, each a list of draws.
        match: pairs of variables.
        given: whether the task gave the weights to the ports; if not, each drew its own.
    """
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
                f"all initial values of {_names(constant)} are "
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
                "standard deviations relative to the reference's: "
                + ", ".join(f"{name} {ratios[name]:.3g}" for name in wide),
            )
        ]
    if given and other and len(other) < len(pairs):
        return [
            explanation(
                "not_restored",
                "initial weights",
                f"the values of the candidate's {_names(other)} differ from the reference's, and "
                f"have about the same size; the other {len(pairs) - len(other)} kernels are equal "
                "to the bit",
            )
        ]
    return (
        [
            explanation(
                "initialiser_differs",
                "initial weights",
                "standard deviations relative to the reference's: "
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
                    f"{pair.reference.name} starts at {theirs.flat[0]:g} in the candidate and at "
                    f"{ours.flat[0]:g} in the reference",
                )
            ]
    return []


def _is_drawn(value: np.ndarray) -> bool:
    return value.ndim > 1 and np.ptp(value) > 0


def _names(pairs: list[Pair]) -> str:
    return ", ".join(pair.candidate.name for pair in pairs)
