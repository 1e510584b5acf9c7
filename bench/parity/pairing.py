"""Measures two ports at equal weights.

A measurement is a function of a `View`. It is taken of both ports at the same time. Where the
answers differ, it is also taken of what shows how much rounding they carry: the float64 reference,
and the reference port with weights and features moved by one ULP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Optional, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from bench.parity import rounding
from bench.parity.inputs import Inputs
from bench.parity.matching import Match
from bench.parity.port import Gradients, PortBatch, Slots, Variable, Weights
from bench.parity.result import Difference, Stage, difference_of
from bench.parity.rounding import Judgement

PERTURBATIONS = 3
"""How often the reference port is measured with weights and features moved by one ULP."""

SATURATING = 1e3
"""Outputs of size 1 times this factor saturate: softmax is 0 in float32 below -104."""

RANDOM_ORDER = "random layers draw their numbers in another order"
"""Why later stages in training mode are not seen."""

Values = dict[str, Optional[np.ndarray]]
"""The answer to a measurement: arrays by the name of a quantity; None for what a port lacks."""

Measurement = Callable[["View"], Values]

Answer = TypeVar("Answer")


class View:
    """A port that is given and returns arrays in the reference's names and layout.

    `ask` calls a method of the port by name. `match` translates; None for the reference itself. A
    `generator` moves weights and features by one ULP, at random. A `dtype` converts them.
    """

    def __init__(
        self,
        ask: Callable,
        match: Match | None = None,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = None,
    ):
        self.ask = ask
        self._match = match
        self._generator = generator
        self._dtype = dtype

    def set_weights(self, weights: Weights) -> None:
        """Sets all variables, and resets the optimizer."""
        moved = {name: self._moved(value) for name, value in weights.items()}
        self.ask("set_weights", self._match.to_candidate(moved) if self._match else moved)

    def batch(self, batch: PortBatch) -> PortBatch:
        """Returns a batch as this port is given it."""
        return replace(
            batch,
            features={name: self._moved(value) for name, value in batch.features.items()},
            labels=self._converted(batch.labels),
        )

    def own(self, values: Weights) -> Weights:
        """Translates values from the reference's names and layout into this port's."""
        values = {name: self._converted(value) for name, value in values.items()}
        return self._match.to_candidate(values) if self._match else values

    def named(self, values: Gradients) -> Gradients:
        """Translates values from this port's names and layout into the reference's."""
        return self._match.gradients_to_reference(values) if self._match else values

    def weights(self) -> Weights:
        """Returns the current values of all variables."""
        weights = self.ask("weights")
        return self._match.to_reference(weights) if self._match else weights

    def slots(self) -> Slots:
        """Returns the optimizer's state for every variable."""
        slots = self.ask("slots")
        if not self._match:
            return slots
        return {
            pair.reference.name: [
                (role, pair.to_reference(value)) for role, value in slots[pair.candidate.name]
            ]
            for pair in self._match.pairs
            if pair.candidate.name in slots
        }

    def _moved(self, value: np.ndarray) -> np.ndarray:
        value = self._converted(value)
        return value if self._generator is None else rounding.perturbed(value, self._generator)

    def _converted(self, value: np.ndarray) -> np.ndarray:
        return (
            value.astype(self._dtype)
            if self._dtype is not None and value.dtype.kind == "f"
            else value
        )


def with_outputs(weights: Weights, variables: list[Variable], factor: float) -> Weights:
    """Returns weights under which the outputs are `factor` times as large. The last kernel and the
    variables after it are multiplied."""
    names = [variable.name for variable in variables if variable.trainable]
    kernels = [name for name in names if weights[name].ndim > 1]
    last = set(names[names.index(kernels[-1]) :] if kernels else names)
    return {
        name: (value * factor).astype(value.dtype) if name in last else value
        for name, value in weights.items()
    }


@dataclass
class Pairing:
    """Both ports, and what they are compared with.

    `weights` are those that both are set to, in the reference's names. `make_exact` returns the
    view of the float64 reference, or None if there is none; it is called when a stage first needs
    it. `steps` is the number of training steps of the curve.

    Stages note what later stages need. `random` says whether the reference draws random numbers in
    training, and `aligned` whether the candidate draws them in the same order. `after_three` is by
    how much the weights of the ports differ after three steps, within rounding, by variable.
    """

    reference: View
    candidate: View
    match: Match
    inputs: Inputs
    weights: Weights
    make_exact: Callable[[], View | None]
    steps: int = 50
    random: bool = False
    aligned: bool = True
    after_three: Weights = field(default_factory=dict)
    _exact: list[View | None] = field(default_factory=list)

    @property
    def exact(self) -> View | None:
        """The view of the float64 reference."""
        if not self._exact:
            self._exact.append(self.make_exact())
        return self._exact[0]

    def with_outputs(self, factor: float) -> Weights:
        """Returns weights under which the outputs are `factor` times as large."""
        return with_outputs(self.weights, [pair.reference for pair in self.match.pairs], factor)

    def measure(self, measurement: Callable[[View], Answer]) -> tuple[Answer, Answer]:
        """Measures the reference and the candidate, at the same time."""
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(measurement, view) for view in (self.reference, self.candidate)]
            return answers[0].result(), answers[1].result()

    def perturbed(self, measurement: Callable[[View], Answer]) -> list[Answer]:
        """Measures the reference port with weights and features moved by one ULP, several times."""
        return [
            measurement(View(self.reference.ask, generator=np.random.default_rng(seed)))
            for seed in range(PERTURBATIONS)
        ]

    def judge(
        self,
        measurement: Measurement,
        allowances: Callable[[Values], dict[str, float]] = lambda reference: {},
        align: Callable[[Values, Values], Values] = lambda reference, other: other,
    ) -> Judged:
        """Measures both ports, and judges each quantity.

        `align` brings another view's answer to the reference's keys. `allowances` returns the sizes
        of known differences.
        """
        reference, candidate = self.measure(measurement)
        candidate = align(reference, candidate)
        pairs = {
            key: (value, other)
            for key, value in reference.items()
            if value is not None and (other := candidate.get(key)) is not None
        }
        if all(rounding.same_bits(*pair) for pair in pairs.values()):
            return Judged(reference, candidate, {key: Judgement("bit") for key in pairs})
        exact = align(reference, measurement(self.exact)) if self.exact is not None else {}
        moved = self.perturbed(measurement)
        allowed = allowances(reference)
        judgements = {
            key: _judged(*pair, exact.get(key), [other[key] for other in moved], allowed.get(key))
            for key, pair in pairs.items()
        }
        return Judged(reference, candidate, judgements)


def _judged(
    reference: np.ndarray,
    candidate: np.ndarray,
    exact: np.ndarray | None,
    moved: list[np.ndarray | None],
    allowance: float | None,
) -> Judgement:
    """Judges one quantity; `moved` are the answers of the perturbed reference."""
    if reference.shape != candidate.shape:
        shapes = list(reference.shape), list(candidate.shape)
        return Judgement("different", np.inf, values=shapes, ulps=np.inf)
    if exact is not None and exact.shape != reference.shape:
        exact = None
    noise = rounding.movement([value for value in moved if value is not None], reference)
    return rounding.judge(reference, candidate, exact, noise, allowance or 0.0)


@dataclass(frozen=True)
class Judged:
    """The answers of both ports, and a judgement for every quantity that both have."""

    reference: Values
    candidate: Values
    judgements: dict[str, Judgement]

    def stage(self, name: str, compared: str, notes: Sequence[str] = ()) -> Stage:
        """Returns the result of a stage: the worst judgement, and the first difference."""
        differences = self.differences()
        if differences:
            return Stage(name, "different", compared, differences[0], notes=list(notes))
        largest = max(
            (item for item in self.judgements.items() if item[1].verdict == "rounding"),
            key=lambda item: item[1].ratio,
            default=None,
        )
        if largest:
            return Stage(
                name, "rounding", compared, largest=difference_of(*largest), notes=list(notes)
            )
        return Stage(name, "bit" if self.judgements else "not seen", compared, notes=list(notes))

    def differences(self) -> list[Difference]:
        """Returns all differences beyond rounding."""
        return [
            difference_of(key, judgement)
            for key, judgement in self.judgements.items()
            if judgement.verdict == "different"
        ]
