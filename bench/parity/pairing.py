"""Two ports side by side: each is asked the same, with the same weights, and answers in the reference's names and layout.

A measurement is a function of a `View`; it is taken of both ports at once and, where their answers differ in a bit, of
what says how much rounding they carry: the float64 reference, and the reference port itself with weights and features
moved by one ULP.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from bench.parity import rounding
from bench.parity.inputs import Inputs
from bench.parity.matching import Match
from bench.parity.port import PortBatch, Variable, Weights
from bench.parity.result import Difference, Stage, difference_of
from bench.parity.rounding import Judgement

PERTURBATIONS = 3

SATURATING = 1e3
"""Outputs of size 1 times this saturate: softmax is 0 in float32 below -104."""

RANDOM_ORDER = "random layers draw their numbers in another order"


class View:
    """A port as the stages see it. `ask` calls its methods by name; `match` translates, None for the reference's own
    names; `generator` moves weights and features by one ULP each."""

    def __init__(
        self,
        ask: Callable,
        match: Match | None = None,
        generator: np.random.Generator | None = None,
        dtype=None,
    ):
        self.ask = ask
        self._match = match
        self._generator = generator
        self._dtype = dtype

    def set_weights(self, weights: Weights) -> None:
        moved = {name: self._moved(value) for name, value in weights.items()}
        self.ask("set_weights", self._match.to_candidate(moved) if self._match else moved)

    def batch(self, batch: PortBatch) -> PortBatch:
        """A batch as this port is given it."""
        return replace(
            batch,
            features={name: self._moved(value) for name, value in batch.features.items()},
            labels=self._widened(batch.labels),
        )

    def own(self, values: Weights) -> Weights:
        """Values by the reference's names, in this port's names and layout."""
        values = {name: self._widened(value) for name, value in values.items()}
        return self._match.to_candidate(values) if self._match else values

    def named(self, values: dict) -> dict:
        """The port's values by variable, in the reference's names and layout."""
        return self._match.to_reference(values) if self._match else values

    def weights(self) -> Weights:
        return self.named(self.ask("weights"))

    def slots(self) -> dict[str, list[tuple[str, np.ndarray]]]:
        """The optimizer's state in the reference's names and layout."""
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
        value = self._widened(value)
        return value if self._generator is None else rounding.nudged(value, self._generator)

    def _widened(self, value: np.ndarray) -> np.ndarray:
        return (
            value.astype(self._dtype)
            if self._dtype is not None and value.dtype.kind == "f"
            else value
        )


def with_outputs(weights: Weights, variables: list[Variable], factor: float) -> Weights:
    """Weights under which outputs are `factor` times as large: the last kernel's times that, and what comes after it."""
    names = [variable.name for variable in variables if variable.trainable]
    kernels = [name for name in names if weights[name].ndim > 1]
    last = set(names[names.index(kernels[-1]) :] if kernels else names)
    return {
        name: (value * factor).astype(value.dtype) if name in last else value
        for name, value in weights.items()
    }


@dataclass
class Pairing:
    """The two sides and what they share. `exact` makes the view of the float64 reference, or returns None; it is made
    when first needed. `weights` are the reference's, with none all alike. Stages leave for later ones: `random`, whether
    the reference draws random numbers in training; `aligned`, whether the candidate draws the same; and `after_three`, by
    what the updates part the weights within rounding."""

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
    _exact: list = field(default_factory=list)

    @property
    def exact(self) -> View | None:
        if not self._exact:
            self._exact.append(self.make_exact())
        return self._exact[0]

    def with_outputs(self, factor: float) -> Weights:
        """Weights under which outputs are `factor` times as large."""
        return with_outputs(self.weights, [pair.reference for pair in self.match.pairs], factor)

    def measure(self, measurement: Callable[[View], dict]) -> tuple[dict, dict]:
        """The measurement of both ports, taken at the same time."""
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(measurement, view) for view in (self.reference, self.candidate)]
            return answers[0].result(), answers[1].result()

    def perturbed(self, measurement: Callable[[View], dict]) -> list[dict]:
        """The measurement of the reference port moved by one ULP."""
        return [
            measurement(View(self.reference.ask, generator=np.random.default_rng(seed)))
            for seed in range(PERTURBATIONS)
        ]

    def judge(
        self,
        measurement: Callable[[View], dict],
        allowances: Callable[[dict], dict] | None = None,
        align: Callable[[dict, dict], dict] = lambda reference, other: other,
    ) -> Judged:
        """The measurement of both ports, each quantity judged. `align` brings another view's answer to the reference's
        keys; `allowances` gives the size of known differences."""
        reference, candidate = self.measure(measurement)
        candidate = align(reference, candidate)
        keys = [
            key
            for key in reference
            if key in candidate and reference[key] is not None and candidate[key] is not None
        ]
        if all(rounding.same_bits(reference[key], candidate[key]) for key in keys):
            return Judged(reference, candidate, {key: Judgement("bit") for key in keys})
        exact = align(reference, measurement(self.exact)) if self.exact is not None else {}
        moved = self.perturbed(measurement)
        allowed = allowances(reference) if allowances else {}
        judgements = {}
        for key in keys:
            if reference[key].shape != candidate[key].shape:
                judgements[key] = Judgement(
                    "different",
                    np.inf,
                    values=(list(reference[key].shape), list(candidate[key].shape)),
                    ulps=np.inf,
                )
                continue
            noise = rounding.movement([other[key] for other in moved], reference[key])
            wide = exact.get(key)
            wide = wide if wide is not None and wide.shape == reference[key].shape else None
            judgements[key] = rounding.judge(
                reference[key], candidate[key], wide, noise, allowed.get(key, 0.0)
            )
        return Judged(reference, candidate, judgements)


@dataclass(frozen=True)
class Judged:
    """Both answers, and a judgement for every quantity that both gave."""

    reference: dict
    candidate: dict
    judgements: dict[str, Judgement]

    def stage(self, name: str, compared: str, notes: list[str] = ()) -> Stage:
        """The worst judgement is the stage's verdict; the first different quantity is named."""
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
        return [
            difference_of(key, judgement)
            for key, judgement in self.judgements.items()
            if judgement.verdict == "different"
        ]
