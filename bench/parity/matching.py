"""Which variable of one port is which of the other, and which activation."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.parity.port import Activation, Variable, Weights
from bench.task import UserError


@dataclass(frozen=True)
class Pair:
    """A variable of the reference and the candidate's that matches it."""

    reference: Variable
    candidate: Variable
    by: str

    def to_candidate(self, value: np.ndarray) -> np.ndarray:
        """A value of the reference's variable, in the candidate's layout."""
        return _convert(value, self.reference, self.candidate)

    def to_reference(self, value: np.ndarray) -> np.ndarray:
        """A value of the candidate's variable, in the reference's layout."""
        return _convert(value, self.candidate, self.reference)


@dataclass(frozen=True)
class Match:
    """Pairs in the order of the reference, and what found no partner on either side."""

    pairs: list[Pair]
    reference_only: list[Variable]
    candidate_only: list[Variable]

    @property
    def complete(self) -> bool:
        return not self.reference_only and not self.candidate_only

    def to_candidate(self, weights: Weights) -> Weights:
        return {
            pair.candidate.name: pair.to_candidate(weights[pair.reference.name])
            for pair in self.pairs
            if pair.reference.name in weights
        }

    def to_reference(self, weights: Weights) -> Weights:
        return {
            pair.reference.name: None
            if weights[pair.candidate.name] is None
            else pair.to_reference(weights[pair.candidate.name])
            for pair in self.pairs
            if pair.candidate.name in weights
        }


def match_variables(
    reference: list[Variable], candidate: list[Variable], names: dict[str, str]
) -> Match:
    """By `names` (reference to candidate), then by name, then by order and shape; a kernel in another layout has the same
    shape where it is used."""
    free = list(candidate)
    partners: dict[str, tuple[Variable, str]] = {}
    for variable in reference:
        if variable.name in names:
            _take(
                partners,
                free,
                variable,
                "map",
                lambda other, name=names[variable.name]: other.name == name,
            )
    for rule in (_full_name, _last_name):
        counts = Counter(map(rule, [*reference, *candidate]))
        for variable in reference:
            if counts[rule(variable)] == 2:
                _take(
                    partners,
                    free,
                    variable,
                    "name",
                    lambda other, rule=rule, name=rule(variable): rule(other) == name,
                )
    for trainable in (True, False):
        for variable in reference:
            if variable.trainable == trainable:
                _take(
                    partners,
                    free,
                    variable,
                    "order and shape",
                    lambda other, own=trainable: other.trainable == own,
                )
    for variable in reference:  # one side may have frozen what the other trains
        _take(partners, free, variable, "order and shape", lambda other: True)
    pairs = [
        Pair(variable, *partners[variable.name])
        for variable in reference
        if variable.name in partners
    ]
    return Match(pairs, [variable for variable in reference if variable.name not in partners], free)


def read_map(path: Path) -> dict[str, str]:
    """A JSON object of the reference's names to the candidate's.

    Raises:
        UserError: it is not one.
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
    """Raises UserError where a name of the map is nobody's."""
    for role, given, variables in (
        ("reference", names.keys(), reference),
        ("candidate", names.values(), candidate),
    ):
        known = [variable.name for variable in variables]
        for name in given:
            if name not in known:
                raise UserError(
                    f"--map names {name!r}, which the {role} does not have; it has {', '.join(known)}"
                )


def align_activations(
    reference: list[Activation], candidate: list[Activation]
) -> list[tuple[int, int]]:
    """Places of matching activations, in order: the longest common sequence of shapes in which equal operations count
    more than unequal ones, and later ones win over earlier ones (a layer's last operation is its output)."""
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
    """Whether two activations come from the same kind of operation."""
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


def _take(partners: dict, free: list[Variable], variable: Variable, by: str, accepts) -> None:
    if variable.name in partners:
        return
    for other in free:
        if accepts(other) and _fits(variable, other):
            partners[variable.name] = other, by
            free.remove(other)
            return


def _fits(first: Variable, second: Variable) -> bool:
    if first.used_shape == second.used_shape:
        return True
    sizes = sorted(first.used_shape)
    return sizes == sorted(second.used_shape) and len(set(sizes)) == len(sizes)


def _convert(value: np.ndarray, source: Variable, target: Variable) -> np.ndarray:
    used = value.transpose(source.layout).squeeze()
    wanted = target.used_shape
    if used.shape != wanted:  # each length occurs once: the axes are told apart by it
        used = used.transpose([used.shape.index(size) for size in wanted])
    shape = tuple(target.shape[axis] for axis in target.layout)
    return np.ascontiguousarray(used.reshape(shape).transpose(np.argsort(target.layout)))
