"""What the stages of a comparison work on: two open ports, and what has been asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from bench.data.store import make_dataset, open_dataset
from bench.parity.fixed_weights import FixedWeightsTask, fixed_weights_task
from bench.parity.float64_reference import Float64Reference
from bench.parity.inputs import Inputs, draw_inputs
from bench.parity.matching import Match, check_map, match_variables
from bench.parity.pairing import Pairing, View
from bench.parity.port import Received, Variable, Weights
from bench.parity.remote_port import RemotePort, together
from bench.parity.setting import DATASETS, ComparisonSetting
from bench.process.group import call_in_child
from bench.task import LEARNING_RATE, Dataset, Task, UserError

SGD_LEARNING_RATE = 1e-6
"""Small enough for gradients of raw counts, whose norms are some hundreds."""

DRAWS = 4
"""Initial weights are drawn so many times."""

FEW_PARAMETERS = 1_000_000
"""A model with more parameters draws its initial weights once. One draw has enough values then,
and each draw builds a model."""


Value = TypeVar("Value")


class made_once(Generic[Value]):
    """A property that is computed when it is first read, as `functools.cached_property`, whose lock
    all comparisons in threads of this process would share before Python 3.12."""

    def __init__(self, make: Callable[[Any], Value]):
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Value:
        value = instance.__dict__[self._name] = self._make(instance)
        return value


@dataclass(frozen=True)
class WatchedTrainings:
    """What both trainings received when their weights were kept fixed."""

    task: FixedWeightsTask
    reference: Received
    candidate: Received


class ComparisonState:
    """Two ports under comparison.

    Each property asks the ports when a stage first needs it, and keeps the answer for later
    stages and for explanations.

    Raises, from the constructor and from every property:
        UserError: the ports cannot be compared; the message says which port is why.
        bench.parity.remote_port.PortError: a port raised an exception of its own.
    """

    def __init__(
        self,
        reference: RemotePort,
        candidate: RemotePort,
        setting: ComparisonSetting,
        names: dict[str, str],
        given: Inputs | None,
    ):
        self.reference, self.candidate, self.setting = reference, candidate, setting
        self._names = names
        self._ports = [reference, candidate]
        kinds = together(self._ports, "load")
        for port, kind in zip(self._ports, kinds):
            if kind == "program":
                raise UserError(
                    f"{port}: it has no train(task, observer), and a program cannot be compared; "
                    "name a function of it (file.py:function), or diagnose it"
                )
        self._are_contracts = [kind == "contract" for kind in kinds]
        self._task = _make_task(setting) if any(self._are_contracts) else None
        self.inputs = given or self._find_inputs()
        self._float64 = Float64Reference(
            reference, self._task if self._are_contracts[0] else None, setting.timeout
        )

    @made_once
    def trainings(self) -> WatchedTrainings | None:
        """What both trainings receive. None if a port is a function, which has no data."""
        if self._task is None or not all(self._are_contracts):
            return None
        task = call_in_child(fixed_weights_task, self._task)
        return WatchedTrainings(task, *together(self._ports, "received", task))

    @made_once
    def match(self) -> Match:
        """Which variable of the candidate is which of the reference."""
        reference, candidate = self._variables
        check_map(self._names, reference, candidate)
        match = match_variables(reference, candidate, self._names)
        if not match.pairs:
            raise UserError(
                f"no variable of {self.candidate} has the shape of one of {self.reference}: are "
                "these ports of one network?"
            )
        return match

    @made_once
    def initial_weights(self) -> tuple[list[Weights], list[Weights]]:
        """What the initialisers of the reference and of the candidate draw, each several times."""
        parameters = sum(int(np.prod(variable.shape)) for variable in self._variables[0])
        draws = DRAWS if parameters < FEW_PARAMETERS else 1
        reference, candidate = together(self._ports, "initial_weights", draws)
        return reference, candidate

    @made_once
    def weights_given(self) -> bool:
        """Whether the task gives both ports their initial weights."""
        return all(together(self._ports, "weights_given"))

    @made_once
    def pairing(self) -> Pairing:
        """Both ports at equal weights."""
        return Pairing(
            View(self.reference),
            View(self.candidate, self.match),
            self.match,
            self.inputs,
            without_constants(self.initial_weights[0][0]),
            lambda: self._float64.view(self.inputs.batches[0], self._variables[0]),
            self.setting.steps,
        )

    def check_reference_loss(self) -> None:
        """Raises UserError where the reference's loss is not finite: nothing can be compared with
        it. A candidate's loss that is not finite is a difference."""
        self.pairing.reference.set_weights(self.pairing.weights)
        loss = self.reference("loss", self.inputs.batches[0], True, 0).value
        if not np.isfinite(loss):
            raise UserError(
                f"{self.reference}: its loss is {loss} at the start; look at the features "
                f"({self.inputs.source}) and at what its loss divides by or takes the logarithm of"
            )

    def close(self) -> None:
        """Ends the processes that this object started."""
        self._float64.close()

    @made_once
    def _variables(self) -> tuple[list[Variable], list[Variable]]:
        """The variables of both networks."""
        _ = self.trainings  # before a port is opened: it learns what a session's evaluation is fed
        together(self._ports, "open", self.inputs.batches[0], self._task, False)
        reference, candidate = together(self._ports, "variables")
        return reference, candidate

    def _find_inputs(self) -> Inputs:
        """Returns batches of the dataset, or drawn ones as one of the ports declares its input."""
        if self._task is not None:
            return self.reference(
                "dataset_inputs", self._task.dataset, self._task.batch_size, self.setting.steps
            )
        spec = next(filter(None, together(self._ports, "input_spec")), None)
        if spec is None:
            raise UserError(
                f"neither {self.reference} nor {self.candidate} declares its input shapes: give "
                "--batch FILE.npz with an array 'labels' and one for every feature"
            )
        return draw_inputs(spec)


def without_constants(weights: Weights) -> Weights:
    """Returns weights without arrays of one repeated value: a missing bias would not show while
    all its values are 0. What is added is not negative, since the array may be a variance."""
    generator = np.random.default_rng(0)
    return {
        name: (value + 0.1 * generator.random(value.shape)).astype(value.dtype)
        if value.dtype.kind == "f" and np.ptp(value) == 0
        else value
        for name, value in weights.items()
    }


def _make_task(setting: ComparisonSetting) -> Task:
    spec, source = setting.spec or DATASETS[setting.dataset], setting.source
    dataset: Dataset = open_dataset(source, spec) or make_dataset(source, spec)
    return Task(
        dataset,
        setting.outputs,
        setting.seed,
        2,
        Path("."),
        optimizer=setting.optimizer,
        learning_rate=SGD_LEARNING_RATE if setting.optimizer == "sgd" else LEARNING_RATE,
    )
