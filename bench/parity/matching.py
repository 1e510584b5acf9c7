"""Matches the variables of two ports, and their activations."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.parity.port import Activation, Gradients, Variable, Weights
from bench.task import UserError


@dataclass(frozen=True)
class Pair:
    """A variable of the reference and the candidate's that matches it. `by` names the rule."""

    reference: Variable
    candidate: Variable
    by: str

    def to_candidate(self, value: np.ndarray) -> np.ndarray:
        """Converts a value of the reference's variable to the candidate's layout."""
        return _convert(value, self.reference, self.candidate)

    def to_reference(self, value: np.ndarray) -> np.ndarray:
        """Converts a value of the candidate's variable to the reference's layout."""
        return _convert(value, self.candidate, self.reference)


@dataclass(frozen=True)
class Match:
    """Pairs in the order of the reference, and the variables of both ports without a partner."""

    pairs: list[Pair]
    reference_only: list[Variable]
    candidate_only: list[Variable]

    @property
    def complete(self) -> bool:
        """Whether every variable has a partner."""
        return not self.reference_only and not self.candidate_only

    def to_candidate(self, weights: Weights) -> Weights:
        """Translates values into the candidate's names and layout."""
        return {
            pair.candidate.name: pair.to_candidate(weights[pair.reference.name])
            for pair in self.pairs
            if pair.reference.name in weights
        }

    def to_reference(self, weights: Weights) -> Weights:
        """Translates values into the reference's names and layout."""
        return {
            pair.reference.name: pair.to_reference(weights[pair.candidate.name])
            for pair in self.pairs
            if pair.candidate.name in weights
        }

    def gradients_to_reference(self, gradients: Gradients) -> Gradients:
        """Translates gradients, of which some may be None, as `to_reference` does."""
        defined = {name: value for name, value in gradients.items() if value is not None}
        undefined = {
            pair.reference.name: None
            for pair in self.pairs
            if pair.candidate.name in gradients and pair.candidate.name not in defined
        }
        return {**undefined, **self.to_reference(defined)}


def match_variables(
    reference: list[Variable], candidate: list[Variable], names: dict[str, str]
) -> Match:
    """Matches variables by `names`, then by their own names, then by order and shape.

    `names` maps names of the reference to names of the candidate. Shapes are those in which
    operations use the variables, so a kernel in another layout matches.
    """
    free = list(candidate)
    partners: dict[str, tuple[Variable, str]] = {}
    for variable in reference:
        if variable.name in names:
            named = [other for other in free if other.name == names[variable.name]]
            _take(partners, free, variable, "map", named)
    for rule in (_full_name, _last_name):
        counts = Counter(map(rule, [*reference, *candidate]))
        for variable in reference:
            if counts[rule(variable)] == 2:
                named = [other for other in free if rule(other) == rule(variable)]
                _take(partners, free, variable, "name", named)
    for trainable in (True, False):
        for variable in reference:
            if variable.trainable == trainable:
                alike = [other for other in free if other.trainable == trainable]
                _take(partners, free, variable, "order and shape", alike)
    for variable in reference:  # one port may have frozen what the other trains
        _take(partners, free, variable, "order and shape", list(free))
    pairs = [
        Pair(variable, *partners[variable.name])
        for variable in reference
        if variable.name in partners
    ]
    return Match(pairs, [variable for variable in reference if variable.name not in partners], free)


def read_map(path: Path) -> dict[str, str]:
    """Reads a JSON object that maps names of the reference to names of the candidate.

    Raises:
        UserError: the file is no such object.
    """
    try:
        names = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"--map {path} cannot be read as JSON: {error}") from error
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UserError(
            f'--map {path} must be an object like {{"reference/name": "candidate/name"}}'
        )
    return names


def check_map(names: dict[str, str], reference: list[Variable], candidate: list[Variable]) -> None:
    """Raises UserError where a port has no variable of a name in the map."""
    for role, given, variables in (
        ("reference", names.keys(), reference),
        ("candidate", names.values(), candidate),
    ):
        known = [variable.name for variable in variables]
        for name in given:
            if name not in known:
                raise UserError(
                    f"--map names {name!r}, which the {role} does not have; "
                    f"it has {', '.join(known)}"
                )


def align_activations(
    reference: list[Activation], candidate: list[Activation]
) -> list[tuple[int, int]]:
    """Returns the index pairs of matching activations, in order.

    They are the longest common sequence of shapes. Equal operations count more than unequal ones.
    Of several candidates the last is taken: a layer's last operation is its output.
    """
    scores = np.zeros((len(reference) + 1, len(candidate) + 1))
    for row, first in enumerate(reference):
        for column, second in enumerate(candidate):
            scores[row + 1, column + 1] = max(
                scores[row, column + 1],
                scores[row + 1, column],
                scores[row, column] + _similarity(first, second),
            )
    pairs = []
    row, column = len(reference), len(candidate)
    while row and column:
        similarity = _similarity(reference[row - 1], candidate[column - 1])
        if similarity and scores[row, column] == scores[row - 1, column - 1] + similarity:
            pairs.append((row - 1, column - 1))
            row, column = row - 1, column - 1
        elif scores[row, column] == scores[row - 1, column]:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def same_operation(first: Activation, second: Activation) -> bool:
    """Returns whether two activations come from the same kind of operation."""
    return _KINDS.get(first.operation, first.operation) == _KINDS.get(
        second.operation, second.operation
    )


_KINDS = {
    "Add": "BiasAdd",
    "AddV2": "BiasAdd",
    "BatchMatMulV2": "MatMul",
    "FusedBatchNorm": "FusedBatchNormV3",
}


def _similarity(first: Activation, second: Activation) -> float:
    if _shape(first) != _shape(second):
        return 0.0
    return 2.0 if same_operation(first, second) else 1.0


def _shape(activation: Activation) -> tuple[int, ...]:
    return tuple(size for size in activation.value.shape[1:] if size != 1)


def _full_name(variable: Variable) -> str:
    return variable.name


def _last_name(variable: Variable) -> str:
    return "/".join(variable.name.split("/")[-2:])


def _take(
    partners: dict[str, tuple[Variable, str]],
    free: list[Variable],
    variable: Variable,
    by: str,
    choice: list[Variable],
) -> None:
    """Gives a variable without a partner the first of `choice` that fits, which is free no more."""
    if variable.name in partners:
        return
    for other in choice:
        if _fits(variable, other):
            partners[variable.name] = other, by
            free.remove(other)
            return


def _fits(first: Variable, second: Variable) -> bool:
    """Returns whether shapes are equal, or have the same lengths, each once, in another order."""
    if first.used_shape == second.used_shape:
        return True
    sizes = sorted(first.used_shape)
    return sizes == sorted(second.used_shape) and len(set(sizes)) == len(sizes)


def _convert(value: np.ndarray, source: Variable, target: Variable) -> np.ndarray:
    """Converts a value from the layout of one variable to that of another."""
    used = value.transpose(source.layout).squeeze()
    wanted = target.used_shape
    if used.shape != wanted:  # each length occurs once, and identifies its axis
        used = used.transpose([used.shape.index(size) for size in wanted])
    shape = tuple(target.shape[axis] for axis in target.layout)
    return np.ascontiguousarray(used.reshape(shape).transpose(np.argsort(target.layout)))
