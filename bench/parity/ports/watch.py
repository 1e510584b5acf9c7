"""Watching a module of the implementation contract: `train(task, observer)` is run, and caught where its API trains.

Nothing in the module is edited: `Model.fit`, `Estimator.train` and `Session.run` are replaced in this process, which is
the port's own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import tensorflow as tf
from tensorflow.python.client import session as session_module

from bench.parity.port import Port, Received
from bench.parity.ports import graph_ops
from bench.parity.ports.functions import estimator_networks
from bench.parity.ports.graph import GraphPort, Network
from bench.parity.ports.keras import KerasPort
from bench.task import Evaluation, Observer, Probe, Task, Trained, UserError

HEAD = 8
"""Values kept of each sample, to be shown side by side."""

Train = Callable[[Task, Observer], Trained]


class _Caught(BaseException):
    """Ends a training at its first step. No port's `except Exception` stops it."""

    def __init__(self, make_port: Callable[[], Port]):
        super().__init__()
        self.make_port = make_port


class _Listener:
    """An observer that keeps evaluations and knows when the first step is next."""

    def __init__(self) -> None:
        self.training = False
        self.evaluations: list[dict] = []

    def begin(self) -> None:
        self.training = True

    def step(self, loss: float, steps: int = 1) -> None:
        pass

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        self.evaluations.append({name: float(value) for name, value in asdict(evaluation).items()})


def catch_port(train: Train, task: Task) -> Port:
    """Runs `train` up to its first training step, and shows what would have made it.

    Raises:
        UserError: it trains by other means than the three that are watched.
    """
    listener = _Listener()

    def fit(model, *arguments, **options):
        raise _Caught(lambda: KerasPort(model, None, None))

    def estimator_train(estimator, *arguments, **options):
        raise _Caught(lambda: _estimator_port(estimator, task))

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if listener.training and _trains(session.graph, fetches):
            network = _network_of(session.graph, fetches, feed_dict or {})
            weights = {variable.op.name: variable for variable in _variables(session.graph)}
            values = original(session, weights)
            raise _Caught(lambda: _session_port(network, values))
        return original(session, fetches, feed_dict, *arguments, **options)

    try:
        with _replaced(fit=fit, estimator_train=estimator_train, run=run):
            train(task, listener)
    except _Caught as caught:
        return caught.make_port()
    raise UserError("its training was not seen: neither Model.fit, Estimator.train nor a Session.run after "
                    "observer.begin() made a step")


def watch_data(train: Train, task: Task) -> Received:
    """Runs `train` to its end and keeps what every training step received. With a learning rate of 0 in `task` the
    weights stay, and every evaluation is of the initial ones."""
    listener = _Listener()
    kept = _Kept()

    def fit(model, *arguments, **options):
        train_step = model.train_step

        def recording(data):
            with tf.control_dependencies([tf.numpy_function(kept.keep, tf.nest.flatten(data)[:2], [])]):
                return train_step(tf.nest.map_structure(tf.identity, data))

        model.train_step = recording
        return originals["fit"](model, *arguments, **options)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        if not (listener.training and _trains(session.graph, fetches)):
            return original(session, fetches, feed_dict, *arguments, **options)
        data = _data_tensors(session.graph, fetches, feed_dict or {})
        result, values = original(session, (fetches, data), feed_dict, *arguments, **options)
        kept.keep(*values)
        return result

    with _replaced(fit=fit, run=run) as originals:
        train(task, listener)
    return kept.received(listener.evaluations)


class _Kept:
    def __init__(self) -> None:
        self.features: list[np.ndarray] = []
        self.digests: list[str] = []
        self.labels: list[np.ndarray] = []
        self.sizes: list[int] = []
        self.dtypes = ("", "")

    def keep(self, signal, labels) -> None:
        self.dtypes = str(signal.dtype), str(labels.dtype)
        self.digests += [hashlib.sha1(np.ascontiguousarray(row)).hexdigest() for row in signal]
        self.features.append(signal.reshape(len(signal), -1)[:, :HEAD].copy())
        self.labels.append(labels.copy())
        self.sizes.append(len(labels))

    def received(self, evaluations: list[dict]) -> Received:
        if not self.sizes:
            raise UserError("its training was not seen: no step of Model.fit or Session.run received data")
        return Received(self.digests, np.concatenate(self.labels), np.concatenate(self.features), self.sizes, *self.dtypes,
                        evaluations)


@contextlib.contextmanager
def _replaced(fit=None, estimator_train=None, run=None) -> Iterator[dict]:
    """Puts functions in the place of the three APIs' training, the last one with the original as first argument."""
    places = {"fit": (tf.keras.Model, "fit", fit), "run": (session_module.BaseSession, "run", None)}
    if hasattr(tf, "estimator"):
        places["estimator_train"] = (tf.estimator.Estimator, "train", estimator_train)
    originals = {name: getattr(owner, attribute) for name, (owner, attribute, _) in places.items()}
    if run is not None:
        def bound(session, *arguments, **options):
            return run(originals["run"], session, *arguments, **options)
        places["run"] = (session_module.BaseSession, "run", bound)
    try:
        for owner, attribute, function in places.values():
            if function is not None:
                setattr(owner, attribute, function)
        yield originals
    finally:
        for name, (owner, attribute, _) in places.items():
            setattr(owner, attribute, originals[name])


def _estimator_port(estimator, task: Task) -> Port:
    probe = task.dataset.probe
    training, evaluation, _ = estimator_networks(estimator, {"signal": probe.signal[:1]}, probe.labels[:1])
    return GraphPort(training, evaluation)


def _session_port(network: Network, weights: dict) -> Port:
    def initialise(session) -> None:
        with network.graph.as_default():
            for variable in _variables(network.graph):
                variable.load(weights[variable.op.name], session)

    network.initialise = initialise
    return GraphPort(network, network)


def _variables(graph) -> list:
    return graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)


def _trains(graph, fetches) -> bool:
    trainable = {variable.op.name for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)}
    return graph_ops.touches_trainables(_flat(graph, fetches), trainable)


def _flat(graph, fetches) -> list:
    found = []
    for fetch in tf.nest.flatten(_plain(fetches)):
        element = graph.as_graph_element(fetch) if isinstance(fetch, str) or hasattr(fetch, "_as_graph_element") else fetch
        found.append(element)
    return [element for element in found if isinstance(element, (tf.Tensor, tf.Operation))]


def _plain(fetches):
    """Dictionaries with objects for keys, as hooks have, cannot be sorted by `tf.nest`."""
    if isinstance(fetches, dict):
        return [_plain(value) for value in fetches.values()]
    if isinstance(fetches, (list, tuple)):
        return [_plain(value) for value in fetches]
    return fetches


def _network_of(graph, fetches, feed_dict: dict) -> Network:
    """The network behind a training call: its loss is the one scalar that is fetched along with the update."""
    flat = _flat(graph, fetches)
    trainable = {variable.op.name for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)}
    scalars = [fetch for fetch in flat if isinstance(fetch, tf.Tensor) and fetch.dtype.is_floating
               and fetch.shape.rank == 0 and not graph_ops.touches_trainables([fetch], trainable)]
    train_ops = [fetch for fetch in flat if graph_ops.touches_trainables([fetch], trainable)]
    if not scalars:
        raise UserError("its loss was not seen: fetch it in the same Session.run as the train_op")
    signal, labels = _data_tensors(graph, fetches, feed_dict)
    train_op = train_ops[0] if isinstance(train_ops[0], tf.Operation) else train_ops[0].op
    constants = {tensor: value for tensor, value in feed_dict.items() if tensor is not signal and tensor is not labels}
    return Network(graph, {"signal": signal}, labels, scalars[0], train_op, constants=constants)


def _data_tensors(graph, fetches, feed_dict: dict) -> list:
    """(signal, labels): what the iterators behind a call give, or what it is fed. The signal is the larger."""
    needed = graph_ops.ancestors(_flat(graph, fetches))
    given = [output for operation in needed if operation.type in ("IteratorGetNext", "IteratorGetNextSync")
             for output in operation.outputs]
    given += [tensor for tensor in feed_dict if isinstance(tensor, tf.Tensor) and tensor.dtype != tf.string
              and tensor.shape.rank != 0]
    if len(given) != 2:
        raise UserError(f"its input was not seen: features and labels were looked for, {len(given)} tensors were found")
    return sorted(given, key=lambda tensor: tensor.shape.rank is None or tensor.shape.rank, reverse=True)
