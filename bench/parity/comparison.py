"""The whole comparison: both sides in processes of their own, stage after stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.data.source import Source, Spec, at_most
from bench.data.store import make_dataset, open_dataset
from bench.data.synthetic import Synthetic
from bench.parity.fixed_weights import fixed_weights_task
from bench.parity.inputs import Inputs, draw_inputs, read_inputs
from bench.parity.matching import Match, check_map, match_variables, read_map
from bench.parity.pairing import Pairing, View
from bench.parity.port import Received, Weights
from bench.parity.ports.standard import Standard
from bench.parity.remote_port import RemotePort, together
from bench.parity.result import STAGES, Explanation, Parity, Stage
from bench.parity.stages import structure
from bench.parity.stages.curve import curve_stage
from bench.parity.stages.forward import forward_stage
from bench.parity.stages.metrics import evaluations_stage, metrics_stage
from bench.parity.stages.objective import gradients_stage, loss_stage
from bench.parity.stages.update import update_stage
from bench.process.forkserver import with_forkserver
from bench.process.group import call_in_child
from bench.task import BATCH_SIZE, LEARNING_RATE, Dataset, Task, UserError, initial_weights

DATASETS = {
    "small": Spec("small", length=130, train=400, evaluation=500),
    "large": Spec("large", length=60_000, train=80, evaluation=36),
}
"""Datasets of which neither split is a multiple of the batch."""


def compared_spec(spec: Spec) -> Spec:
    """As many samples of a dataset as a comparison takes, and a partial last batch among them."""
    fewer = at_most(spec, DATASETS[spec.size])
    return replace(fewer, train=_uneven(fewer.train), evaluation=_uneven(fewer.evaluation))


def _uneven(samples: int) -> int:
    return samples - 1 if samples % BATCH_SIZE == 0 and samples > 1 else samples


SGD_LEARNING_RATE = 1e-6
"""Small enough for gradients of raw counts, which have norms of some hundreds."""

FEW_PARAMETERS = 1_000_000
"""Models with more have one draw of initial weights compared: it holds enough values, and each draw builds a model."""

STEPS = 50
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class ComparisonSetting:
    """What both sides are given. `batch` and `names` are files for ports that are functions; the others choose what
    modules of the implementation contract train (`spec` in the place of the dataset's own). With `first_only` the
    comparison ends at the first difference."""

    batch: Path | None = None
    names: Path | None = None
    dataset: str = "small"
    outputs: str = "logits"
    optimizer: str = "adam"
    source: Source = Synthetic()
    steps: int = STEPS
    timeout: float = TIMEOUT_S
    seed: int = 0
    spec: Spec | None = None
    first_only: bool = False


@dataclass
class Scene:
    """What a comparison has at hand when it finds a difference: as much as its stages have made by then."""

    task: Task | None
    inputs: Inputs
    still: Task | None = None
    received: list[Received | None] = field(default_factory=lambda: [None, None])
    match: Match | None = None
    drawn: list[list[Weights]] = field(default_factory=list)
    weights_given: bool = False
    pairing: Pairing | None = None


Explain = Callable[[Scene, Stage], list[Explanation]]


def compare(
    reference: str | RemotePort,
    candidate: str,
    setting: ComparisonSetting = ComparisonSetting(),
    on_stage: Callable[[str], None] = lambda name: None,
    explain: Explain = lambda scene, stage: [],
) -> Parity:
    """Compares two ports, each named as `module:object`, `file.py:object` or a module of the implementation contract. The
    reference may be a side that is open already, and stays so: with the same setting, it serves many comparisons faster.

    `on_stage` is told the name of every stage before it begins; `explain` is asked for the causes of the first difference. In
    a script, call this under ``if __name__ == "__main__":``, as everything that starts processes.

    Raises:
        UserError: they cannot be compared; the message says which side is why.
        bench.parity.remote_port.PortError: a port raised an exception of its own.
    """
    began = time.monotonic()
    names = read_map(setting.names) if setting.names else {}
    given = read_inputs(setting.batch) if setting.batch else None
    with (
        with_forkserver(),
        _opened(reference, setting) as first,
        RemotePort("candidate", candidate, setting.timeout) as second,
    ):
        comparison = _Comparison(first, second, setting, names, given, explain)
        try:
            stages = comparison.run(on_stage)
        finally:
            comparison.close()
    return Parity(
        first.name,
        candidate,
        comparison.inputs.source,
        stages,
        time.monotonic() - began,
        max(side.peak_rss_mib for side in (first, second)),
        comparison.explanations,
    )


def _opened(reference: str | RemotePort, setting: ComparisonSetting):
    return (
        contextlib.nullcontext(reference)
        if isinstance(reference, RemotePort)
        else RemotePort("reference", reference, setting.timeout)
    )


class _Comparison:
    def __init__(
        self,
        reference: RemotePort,
        candidate: RemotePort,
        setting: ComparisonSetting,
        names: dict[str, str],
        given: Inputs | None,
        explain: Explain,
    ):
        self._sides = [reference, candidate]
        self._setting = setting
        self._names = names
        self._given = given
        self._explain = explain
        self._twin: RemotePort | None = None
        self.explanations: list[Explanation] = []

    def run(self, on_stage: Callable[[str], None]) -> list[Stage]:
        """All stages in order, as far as the ports can be compared."""
        on_stage("loading")
        self._kinds = together(self._sides, "load")
        for side, kind in zip(self._sides, self._kinds):
            if kind == "program":
                raise UserError(
                    f"{side}: it has no train(task, observer), and a program cannot be compared; name a function of it "
                    "(file.py:function), or diagnose it"
                )
        self._contracts = [kind == "contract" for kind in self._kinds]
        self._task = self._make_task() if any(self._contracts) else None
        self.inputs = self._find_inputs()
        self._scene = Scene(self._task, self.inputs)
        stages: list[Stage] = []
        for name in STAGES:
            on_stage(name)
            stages.append(getattr(self, f"_{name.replace(' ', '_')}")())
            if stages[-1].verdict == "different" and all(
                stage.verdict != "different" for stage in stages[:-1]
            ):
                self.explanations = self._explain(self._scene, stages[-1])
                if self._setting.first_only:
                    return stages
            if name == "initial weights" and not self._match.complete:
                return stages + [
                    Stage(rest, "not seen", "the variables do not match") for rest in STAGES[3:]
                ]
        return stages

    def close(self) -> None:
        if self._twin is not None:
            self._twin.close()

    def _make_task(self) -> Task:
        setting = self._setting
        spec, source = setting.spec or DATASETS[setting.dataset], setting.source
        dataset: Dataset = open_dataset(source, spec) or make_dataset(source, spec)
        rate = SGD_LEARNING_RATE if setting.optimizer == "sgd" else LEARNING_RATE
        return Task(
            dataset,
            setting.outputs,
            setting.seed,
            2,
            Path("."),
            optimizer=setting.optimizer,
            learning_rate=rate,
        )

    def _find_inputs(self) -> Inputs:
        """Common inputs: given, the dataset's, or drawn as one of the ports declares."""
        inputs = self._given
        if inputs is None and self._task is not None:
            inputs = self._sides[0](
                "dataset_inputs", self._task.dataset, self._task.batch_size, self._setting.steps
            )
        if inputs is None:
            spec = next(filter(None, together(self._sides, "input_spec")), None)
            if spec is None:
                raise UserError(
                    f"neither {self._sides[0]} nor {self._sides[1]} declares its input shapes: give "
                    "--batch FILE.npz with an array 'labels' and one for every feature"
                )
            inputs = draw_inputs(spec)
        return inputs

    def _data(self) -> Stage:
        if not all(self._contracts):
            self._received = [None, None]
            return structure.data_stage(
                None, None, f"a function brings no data; both are given {self.inputs.source}"
            )
        still = call_in_child(fixed_weights_task, self._task)
        self._scene.still = still
        self._received = self._scene.received = together(self._sides, "received", still)
        return structure.data_stage(*self._received, "")

    def _variables(self) -> Stage:
        together(self._sides, "open", self.inputs.batches[0], self._task, False)
        variables = together(self._sides, "variables")
        check_map(self._names, *variables)
        self._match = self._scene.match = match_variables(*variables, self._names)
        if not self._match.pairs:
            raise UserError(
                f"no variable of {self._sides[1]} has the shape of one of {self._sides[0]}: are these ports of one "
                "network?"
            )
        self._reference_variables = variables[0]
        return structure.variables_stage(self._match)

    def _initial_weights(self) -> Stage:
        parameters = sum(int(np.prod(variable.shape)) for variable in self._reference_variables)
        draws = structure.DRAWS if parameters < FEW_PARAMETERS else 1
        weights = self._scene.drawn = together(self._sides, "initial_weights", draws)
        given = tuple(together(self._sides, "weights_given"))
        self._scene.weights_given = all(given)
        stage = structure.initial_stage(*weights, self._match, given)
        self._pairing = Pairing(
            View(self._sides[0]),
            View(self._sides[1], self._match),
            self._match,
            self.inputs,
            shaken(weights[0][0]),
            self._exact_view,
            self._setting.steps,
        )
        self._scene.pairing = self._pairing
        if self._match.complete:
            self._check_loss()
        return stage

    def _forward(self) -> Stage:
        return forward_stage(self._pairing)

    def _loss(self) -> Stage:
        return loss_stage(self._pairing)

    def _gradients(self) -> Stage:
        return gradients_stage(self._pairing)

    def _update(self) -> Stage:
        return update_stage(self._pairing)

    def _curve(self) -> Stage:
        return curve_stage(self._pairing)

    def _metrics(self) -> Stage:
        if None in self._received:
            return metrics_stage(self._pairing)
        return evaluations_stage(*self._received, self._pairing.random)

    def _check_loss(self) -> None:
        """A candidate's loss that is not finite is a difference; a reference's leaves nothing to compare with."""
        self._pairing.reference.set_weights(self._pairing.weights)
        loss = self._sides[0]("loss", self.inputs.batches[0], True, 0).value
        if not np.isfinite(loss):
            raise UserError(
                f"{self._sides[0]}: its loss is {loss} at the start; look at the features ({self.inputs.source}) and "
                "at what its loss divides by or takes the logarithm of"
            )

    def _exact_view(self) -> View | None:
        """The float64 reference: the standard network in NumPy, or the reference port rebuilt in float64 if it can be."""
        if self._contracts[0]:
            return self._standard_view()
        twin = self._twin = RemotePort("reference", self._sides[0].name, self._setting.timeout)
        wide = View(twin, dtype=np.float64)
        try:
            twin("load")
            twin.open(wide.batch(self.inputs.batches[0]), None, wide=True)
            variables = twin("variables")
        except UserError:
            return None
        narrow = [variable for variable in variables if variable.dtype == "float32"]
        same_names = [variable.name for variable in variables] == [
            variable.name for variable in self._reference_variables
        ]
        return wide if same_names and not narrow else None

    def _standard_view(self) -> View | None:
        own = initial_weights(
            self._task.dataset.length, self._task.dataset.classes, self._task.seed
        )
        shapes = {variable.name: variable.shape for variable in self._reference_variables}
        if shapes != {name: value.shape for name, value in own.items()}:
            return None
        standard = Standard(self._task)
        return View(lambda method, *arguments: getattr(standard, method)(*arguments))


def shaken(weights: Weights) -> Weights:
    """Weights of which none is all alike: a missing bias would not show while all are 0. What is added is not negative,
    since it may be a variance."""
    generator = np.random.default_rng(0)
    return {
        name: (value + 0.1 * generator.random(value.shape)).astype(value.dtype)
        if value.dtype.kind == "f" and np.ptp(value) == 0
        else value
        for name, value in weights.items()
    }
