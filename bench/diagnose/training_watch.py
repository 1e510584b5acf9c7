"""Watching one training through the doors of its API, in the process of the port.

A look at the network costs time. Looks are due at steps 0, 1, 2, 4, 8 and so on, and are taken as long as they cost no more
than `SHARE` of the time of the training so far, so that the training is slowed by no more than that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.diagnose.probes import SAMPLES
from bench.diagnose.training_record import Look
from bench.parity.inputs import part
from bench.parity.port import Port, PortBatch, Weights
from bench.parity.ports.api_hooks import (
    data_tensors,
    network_of,
    predicts,
    replaced,
    settings,
    trains,
    variables,
)
from bench.parity.ports.capture import (
    Listener,
    ReceivedBatches,
    estimator_port,
    keep_steps,
    session_port,
)
from bench.parity.ports.keras import KerasPort
from bench.task import Evaluation, Probe, Task

SHARE = 0.03
STRIDE = 64
"""Values of a sample that its digest is made of, so that large samples cost no more than small ones."""


@dataclass
class TrainingWatch(Listener):
    """An observer of a training that also sees the network itself. `port` is the network once training began; `weights` are the
    first two that were looked at, `ended` the last."""

    probe: PortBatch | None = None
    clock: Callable[[], float] = time.perf_counter
    port: Port | None = None
    looks: list[Look] = field(default_factory=list)
    kept: ReceivedBatches = field(default_factory=lambda: ReceivedBatches(STRIDE))
    estimator: object = None
    network: object = None
    data: list = field(default_factory=list)
    evaluating: dict = field(default_factory=dict)
    weights: list[Weights] = field(default_factory=list)
    ended: Weights = field(default_factory=dict)
    spent_s: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()
        self.looking = False
        self._live: Callable[[], Weights] | None = None
        self._steps = 0
        self._due = 0
        self._began = 0.0
        self._look_s = 0.0

    def see(self, port: Port, live: Callable[[], Weights] | None) -> None:
        """The network is known: `live` gives its weights, None if the port has them itself. Looks before the first step."""
        self.port, self._live = port, live
        self._began = self.clock()
        if self.probe is not None:
            self._look()

    def live_from(self, live: Callable[[], Weights]) -> None:
        """The weights have moved: to another session, or on from where they were seen."""
        self._live = live

    def step(self, loss: float, steps: int = 1) -> None:
        super().step(loss, steps)
        if self._steps == 0 and self.port is not None:
            self._began = self.clock() - self.spent_s
        self._steps += steps
        elapsed = self.clock() - self._began
        due = self._steps >= self._due and self.port is not None and self.probe is not None
        if due and (self._steps <= 2 or self.spent_s + self._look_s <= SHARE * elapsed):
            self._look()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        super().evaluation(evaluation, probe)
        if self.port is not None:  # now: a session is closed by the time its training has returned
            with contextlib.suppress(RuntimeError):  # or by the time of the evaluation already
                self.ended = self.now()

    def last(self) -> None:
        """The look after the last step."""
        if self._live is None and self.port is not None:
            self.ended = self.port.weights()
        if self.ended and self.looks and self.looks[-1].step < self._steps:
            if self._live is not None:
                self.port.set_weights(self.ended)
            self.looks.append(look(self.port, self.probe, self._steps))

    def now(self) -> Weights:
        """The weights that training has reached."""
        return self._live() if self._live is not None else self.port.weights()

    def _look(self) -> None:
        began = self.clock()
        self.looking = True  # a look runs sessions of its own
        self.ended = self.now()
        if self._live is not None:
            self.port.set_weights(self.ended)
        if len(self.weights) < 2:
            self.weights.append(self.ended)
        self.looks.append(look(self.port, self.probe, self._steps))
        self.looking = False
        self._due = max(1, 2 * self._steps)
        self._look_s = self.clock() - began
        if self._steps > 2:
            self.spent_s += self._look_s
        else:
            self._began += self._look_s

    @property
    def slowed(self) -> float:
        """The share of the training's time that looks took, but for those at its start."""
        elapsed = self.clock() - self._began
        return self.spent_s / max(elapsed - self.spent_s, 1e-9)


def look(port: Port, batch: PortBatch, step: int) -> Look:
    """The port's network now."""
    batch = part(batch, 0, SAMPLES)
    weights = port.weights()
    gradients = port.gradients(batch, 0)
    activations = port.forward(batch.features, False, 0)
    dead = {
        activation.name: float(
            np.mean(~(activation.value > 0).reshape(-1, activation.value.shape[-1]).any(axis=0))
        )
        for activation in activations
        if activation.operation.startswith("Relu")
    }
    flat = [activation.value for activation in activations if activation.value.ndim == 2]
    return Look(
        step,
        {name: _norm(weights[name]) for name in gradients},
        {name: 0.0 if value is None else _norm(value) for name, value in gradients.items()},
        dead,
        flat[-1] if flat else np.zeros((len(batch), 0)),
    )


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


def watch_training(
    train: Callable[[Task | None, Listener], object], task: Task | None, watcher: TrainingWatch
):
    """Runs `train` to its end under the eyes of `watcher`; what it returns."""

    def fit(model, *arguments, **options):
        keep_steps(model, watcher.kept)
        if watcher.port is None and model.inputs is not None:
            watcher.see(KerasPort(model, None, None), None)
        return originals["fit"](model, *arguments, **options)

    def estimator_train(estimator, *arguments, **options):
        watcher.estimator = estimator
        return originals["estimator_train"](estimator, *arguments, **options)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if watcher.looking:
            return original(session, fetches, feed_dict, *arguments, **options)
        if not (watcher.training and trains(session.graph, fetches)):
            if watcher.training and predicts(session.graph, fetches):
                watcher.evaluating.update(settings(session.graph, feed_dict or {}))
            return original(session, fetches, feed_dict, *arguments, **options)
        if watcher.network is None or watcher.network.graph is not session.graph:
            network = watcher.network = network_of(session.graph, fetches, feed_dict or {})
            named = {variable.op.name: variable for variable in variables(session.graph)}
            watcher.data = data_tensors(session.graph, fetches, feed_dict or {})
            if watcher.port is None:
                values = original(session, named)
                watcher.see(
                    session_port(network, values, {}), lambda: values_of(original, session, named)
                )
            else:
                watcher.live_from(lambda: values_of(original, session, named))
        result, values = original(
            session, (fetches, watcher.data), feed_dict, *arguments, **options
        )
        watcher.kept.keep(*values)
        return result

    with replaced(fit=fit, estimator_train=estimator_train, run=run) as originals:
        return train(task, watcher)


def values_of(run, session, named: dict) -> Weights:
    """The live weights of a session, by name."""
    return run(session, named)


def port_after(watcher: TrainingWatch, task: Task | None) -> Port:
    """The port as parity would have caught it, at the weights that training began with."""
    if isinstance(watcher.port, KerasPort):
        return watcher.port
    if watcher.estimator is not None and task is not None:
        return estimator_port(watcher.estimator, task)
    return session_port(watcher.network, watcher.weights[0], watcher.evaluating)
