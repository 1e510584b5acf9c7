"""Watching one training by hooks in its API, in the port's own process.

A snapshot of the network costs time. Snapshots are due at steps 0, 1, 2, 4, 8 and so on. They are
taken as long as their cost is at most `SHARE` of the training's time so far, so that they do not
slow the training by more.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from bench.diagnose.probes import SAMPLES
from bench.diagnose.training_record import Snapshot
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
from bench.parity.ports.graph import Network
from bench.parity.ports.keras import KerasPort
from bench.task import Evaluation, Probe, Task

SHARE = 0.03
"""Largest share of the training's time that snapshots may take."""

STRIDE = 64
"""Number of values that a sample's digest is computed from, so that large samples cost no more."""


@dataclass
class WatchedNetwork:
    """The network of a training that is watched.

    Attributes:
        port: a port of the network.
        probe: the samples of which snapshots are taken.
        live_weights: reads the weights that the training has reached; None if they are the port's.
    """

    port: Port
    probe: PortBatch
    live_weights: Callable[[], Weights] | None

    def weights(self) -> Weights:
        """Returns the weights that the training has reached."""
        return self.port.weights() if self.live_weights is None else self.live_weights()

    def snapshot(self, step: int, weights: Weights) -> Snapshot:
        """Returns a snapshot of the network with these weights, after `step` steps."""
        if self.live_weights is not None:
            self.port.set_weights(weights)
        return take_snapshot(self.port, self.probe, step)


@dataclass(frozen=True)
class SessionTraining:
    """A training by `Session.run`: its session, its network, and the tensors (signal, labels)."""

    session: tf.compat.v1.Session
    network: Network
    data: list


class TrainingWatch(Listener):
    """An observer of a training that also takes snapshots of the network.

    Attributes:
        network: the network, once the training has begun.
        snapshots: the snapshots taken.
        received: the samples that the steps received.
        first_weights: weights of the first two snapshots.
        final_weights: the last weights that were read.
        estimator: the Estimator that trains, if one does.
        session_training: how a session trains, if one does.
        evaluating: what a session feeds besides data when it evaluates, by tensor name.
        taking_snapshot: whether a snapshot is being taken; it may run sessions of its own.
        spent_s: time spent on snapshots after step 2, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self.clock = clock
        self.network: WatchedNetwork | None = None
        self.snapshots: list[Snapshot] = []
        self.received = ReceivedBatches(STRIDE)
        self.first_weights: list[Weights] = []
        self.final_weights: Weights = {}
        self.estimator: object = None
        self.session_training: SessionTraining | None = None
        self.evaluating: dict[str, np.ndarray] = {}
        self.taking_snapshot = False
        self.spent_s = 0.0
        self._steps = 0
        self._due = 0
        self._began = 0.0
        self._snapshot_s = 0.0

    def see(
        self, port: Port, probe: PortBatch, live_weights: Callable[[], Weights] | None
    ) -> WatchedNetwork:
        """Starts to watch a network, and takes the snapshot before its first step."""
        network = self.network = WatchedNetwork(port, probe, live_weights)
        self._began = self.clock()
        self._take_snapshot(network)
        return network

    def step(self, loss: float, steps: int = 1) -> None:
        super().step(loss, steps)
        if self._steps == 0 and self.network is not None:
            self._began = self.clock() - self.spent_s
        self._steps += steps
        elapsed = self.clock() - self._began
        affordable = self._steps <= 2 or self.spent_s + self._snapshot_s <= SHARE * elapsed
        if self.network is not None and self._steps >= self._due and affordable:
            self._take_snapshot(self.network)

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        super().evaluation(evaluation, probe)
        if self.network is not None:  # read now: the session is closed when training returns
            with contextlib.suppress(RuntimeError):  # the session may be closed already
                self.final_weights = self.network.weights()

    def finish(self) -> None:
        """Takes the snapshot after the last step."""
        network = self.network
        if network is None:
            return
        if network.live_weights is None:
            self.final_weights = network.port.weights()
        if self.final_weights and self.snapshots and self.snapshots[-1].step < self._steps:
            self.snapshots.append(network.snapshot(self._steps, self.final_weights))

    def _take_snapshot(self, network: WatchedNetwork) -> None:
        began = self.clock()
        self.taking_snapshot = True
        self.final_weights = network.weights()
        if len(self.first_weights) < 2:
            self.first_weights.append(self.final_weights)
        self.snapshots.append(network.snapshot(self._steps, self.final_weights))
        self.taking_snapshot = False
        self._due = max(1, 2 * self._steps)
        self._snapshot_s = self.clock() - began
        if self._steps > 2:
            self.spent_s += self._snapshot_s
        else:
            self._began += self._snapshot_s

    @property
    def slowed(self) -> float:
        """Share of the training's time that snapshots took, without those of its first steps."""
        elapsed = self.clock() - self._began
        return self.spent_s / max(elapsed - self.spent_s, 1e-9)


def take_snapshot(port: Port, batch: PortBatch, step: int) -> Snapshot:
    """Returns a snapshot of the port's network with its present weights."""
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
    return Snapshot(
        step,
        {name: _norm(weights[name]) for name in gradients},
        {name: 0.0 if value is None else _norm(value) for name, value in gradients.items()},
        dead,
        flat[-1] if flat else np.zeros((len(batch), 0)),
    )


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


def watch_training(
    train: Callable[[Task, Listener], object], task: Task, probe: PortBatch, watch: TrainingWatch
):
    """Runs `train` to its end and watches it; returns its result."""

    def fit(model, *arguments, **options):
        keep_steps(model, watch.received)
        if watch.network is None and model.inputs is not None:
            watch.see(KerasPort(model, None, None), probe, None)
        return originals["fit"](model, *arguments, **options)

    def estimator_train(estimator, *arguments, **options):
        watch.estimator = estimator
        return originals["estimator_train"](estimator, *arguments, **options)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if watch.taking_snapshot:
            return original(session, fetches, feed_dict, *arguments, **options)
        graph, fed = session.graph, feed_dict or {}
        if not (watch.training and trains(graph, fetches)):
            if watch.training and predicts(graph, fetches):
                watch.evaluating.update(settings(graph, fed))
            return original(session, fetches, feed_dict, *arguments, **options)
        training = watch.session_training
        if training is None or training.network.graph is not graph:
            training = SessionTraining(
                session, network_of(graph, fetches, fed), data_tensors(graph, fetches, fed)
            )
            watch.session_training = training
            _see_session(watch, original, training, probe)
        result, values = original(
            session, (fetches, training.data), feed_dict, *arguments, **options
        )
        watch.received.keep(*values)
        return result

    with replaced(fit=fit, estimator_train=estimator_train, run=run) as originals:
        return train(task, watch)


def _see_session(
    watch: TrainingWatch, run: Callable, training: SessionTraining, probe: PortBatch
) -> None:
    """Watches the network of a session; a network that is watched already moves to this session."""
    named = {variable.op.name: variable for variable in variables(training.network.graph)}

    def live_weights() -> Weights:
        return run(training.session, named)

    if watch.network is None:
        watch.see(session_port(training.network, live_weights(), {}), probe, live_weights)
    else:
        watch.network.live_weights = live_weights


def port_after(watch: TrainingWatch, network: WatchedNetwork, task: Task) -> Port:
    """Returns the port as parity would have captured it, with its initial weights."""
    if isinstance(network.port, KerasPort) or watch.session_training is None:
        return network.port
    if watch.estimator is not None:
        return estimator_port(watch.estimator, task)
    training = watch.session_training
    return session_port(training.network, watch.first_weights[0], watch.evaluating)
