"""Runs `train(task, observer)` of a module of the contract, and captures its training.

The training is captured where its API trains: see `bench.parity.ports.api_hooks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import tensorflow as tf

from bench.parity.port import Port, Received
from bench.parity.ports.api_hooks import (
    data_tensors,
    network_of,
    predicts,
    replaced,
    settings,
    trains,
    variables,
)
from bench.parity.ports.functions import estimator_networks
from bench.parity.ports.graph import GraphPort, Network
from bench.parity.ports.keras import KerasPort
from bench.task import Evaluation, Observer, Probe, Task, Trained, UserError

HEAD = 8
"""Number of values of each sample that are kept, to be shown side by side."""

Train = Callable[[Task, Observer], Trained]


class _FirstStep(BaseException):
    """Ends a training at its first step. It is no `Exception`, which a port might catch."""

    def __init__(self, make_port: Callable[[], Port]):
        super().__init__()
        self.make_port = make_port


class Listener:
    """Keeps reported losses and evaluations, as an observer. `training` is set when steps begin."""

    def __init__(self) -> None:
        self.training = False
        self.losses: list[float] = []
        self.evaluations: list[dict] = []

    def begin(self) -> None:
        self.training = True

    def step(self, loss: float, steps: int = 1) -> None:
        self.losses.append(float(loss))

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        self.evaluations.append({name: float(value) for name, value in asdict(evaluation).items()})


def catch_port(train: Train, task: Task, evaluating: dict[str, np.ndarray]) -> Port:
    """Runs `train` up to its first training step, and returns the port that would make the step.

    `evaluating` are the scalars that its session is fed besides data when it evaluates, by tensor
    name; see `watch_data`.

    Raises:
        UserError: it does not train by one of the three calls that are replaced.
    """
    listener = Listener()

    def fit(model, *arguments, **options):
        raise _FirstStep(lambda: KerasPort(model, None, None))

    def estimator_train(estimator, *arguments, **options):
        raise _FirstStep(lambda: estimator_port(estimator, task))

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if listener.training and trains(session.graph, fetches):
            network = network_of(session.graph, fetches, feed_dict or {})
            weights = {variable.op.name: variable for variable in variables(session.graph)}
            values = original(session, weights)
            raise _FirstStep(lambda: session_port(network, values, evaluating))
        return original(session, fetches, feed_dict, *arguments, **options)

    try:
        with replaced(fit=fit, estimator_train=estimator_train, run=run):
            train(task, listener)
    except _FirstStep as reached:
        return reached.make_port()
    raise UserError(
        "its training was not seen: neither Model.fit, Estimator.train nor a Session.run after "
        "observer.begin() made a step"
    )


def watch_data(train: Train, task: Task, evaluating: dict[str, np.ndarray]) -> Received:
    """Runs `train` to its end, and returns what every training step received.

    Adds to `evaluating` what its session is fed besides data when it evaluates. With a learning
    rate of 0 in `task`, the weights do not change: every evaluation is of the initial ones.

    Raises:
        UserError: no training step was seen.
    """
    listener = Listener()
    kept = ReceivedBatches()

    def fit(model, *arguments, **options):
        keep_steps(model, kept)
        return originals["fit"](model, *arguments, **options)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if not (listener.training and trains(session.graph, fetches)):
            if listener.training and predicts(session.graph, fetches):
                evaluating.update(settings(session.graph, feed_dict or {}))
            return original(session, fetches, feed_dict, *arguments, **options)
        data = data_tensors(session.graph, fetches, feed_dict or {})
        result, values = original(session, (fetches, data), feed_dict, *arguments, **options)
        kept.keep(*values)
        return result

    with replaced(fit=fit, run=run) as originals:
        train(task, listener)
    return kept.received(listener)


class ReceivedBatches:
    """Keeps what training steps receive. A sample's digest is made of all its values, or of about
    `values` evenly spaced ones."""

    def __init__(self, values: int | None = None) -> None:
        self._values = values
        self.features: list[np.ndarray] = []
        self.digests: list[str] = []
        self.labels: list[np.ndarray] = []
        self.sizes: list[int] = []
        self.dtypes = ("", "")

    def keep(self, signal: np.ndarray, labels: np.ndarray) -> None:
        """Keeps one batch: `signal` [samples, ...] and `labels` [samples]."""
        self.dtypes = str(signal.dtype), str(labels.dtype)
        self.digests += [digest(row, self._values) for row in signal]
        self.features.append(signal.reshape(len(signal), -1)[:, :HEAD].copy())
        self.labels.append(labels.copy())
        self.sizes.append(len(labels))

    def received(self, listener: Listener) -> Received:
        """Returns all batches, with what was reported to `listener`.

        Raises:
            UserError: no batch was received.
        """
        if not self.sizes:
            raise UserError(
                "its training was not seen: no step of Model.fit or Session.run received data"
            )
        return Received(
            self.digests,
            np.concatenate(self.labels),
            np.concatenate(self.features),
            self.sizes,
            *self.dtypes,
            listener.losses,
            listener.evaluations,
        )


def keep_steps(model: tf.keras.Model, kept: ReceivedBatches) -> None:
    """Makes every training step of a Keras model keep what it receives, from now on."""
    train_step = model.train_step

    def keeping(data):
        with tf.control_dependencies([tf.numpy_function(kept.keep, tf.nest.flatten(data)[:2], [])]):
            return train_step(tf.nest.map_structure(tf.identity, data))

    model.train_step = keeping


def digest(sample: np.ndarray, values: int | None = None) -> str:
    """Returns a hash of all values of a sample, or of about `values` evenly spaced ones."""
    flat = sample.ravel()
    hashed = flat if values is None else flat[:: max(1, flat.size // values)]
    return hashlib.sha1(hashed.tobytes()).hexdigest()


def estimator_port(estimator, task: Task) -> Port:
    """Returns the port of an Estimator that trains a task."""
    probe = task.dataset.probe
    training, evaluation, _ = estimator_networks(
        estimator, {"signal": probe.signal[:1]}, probe.labels[:1]
    )
    return GraphPort(training, evaluation)


def session_port(network: Network, weights: dict, evaluating: dict[str, np.ndarray]) -> Port:
    """Returns the port of a session's network that starts at `weights`.

    In evaluation mode it is fed the scalars in `evaluating`, by tensor name, in place of those of
    the training step. Scalars that an evaluation does not feed keep the graph's own values.
    """

    def initialise(session) -> None:
        with network.graph.as_default():
            for variable in variables(network.graph):
                variable.load(weights[variable.op.name], session)

    network.initialise = initialise
    constants = {
        tensor: value for tensor, value in network.constants.items() if tensor.dtype == tf.string
    }
    constants.update(
        {network.graph.get_tensor_by_name(name): value for name, value in evaluating.items()}
    )
    if constants.keys() == network.constants.keys() and all(
        np.array_equal(value, network.constants[tensor]) for tensor, value in constants.items()
    ):
        return GraphPort(network, network)
    return GraphPort(network, replace(network, constants=constants, train_op=None))
