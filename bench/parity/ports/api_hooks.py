"""The doors by which the three APIs train: `Model.fit`, `Estimator.train` and `Session.run`, and what goes through the last.

Nothing in a port is edited: the functions are replaced in this process, which is the port's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorflow.python.client import session as session_module

from bench.parity.ports import graph_ops
from bench.parity.ports.graph import Network
from bench.task import UserError


@contextlib.contextmanager
def replaced(fit=None, estimator_train=None, run=None) -> Iterator[dict]:
    """Puts functions in the place of the three APIs' training, the last one with the original as first argument."""
    places = {"fit": (tf.keras.Model, "fit", fit), "run": (session_module.BaseSession, "run", None)}
    if hasattr(tf, "estimator"):
        places["estimator_train"] = (
            tf.compat.v1.estimator.Estimator,
            "train",
            estimator_train,
        )  # of which the other inherits
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


def variables(graph) -> list:
    return graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)


def predicts(graph, fetches) -> bool:
    """Whether fetches depend on what is trained, beyond reading it."""
    trainable = {
        variable.op.name
        for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)
    }
    needed = graph_ops.ancestors(_flat(graph, fetches))
    return any(operation.type == "MatMul" for operation in needed) and any(
        operation.name in trainable for operation in needed
    )


def settings(graph, feed_dict: dict) -> dict[str, np.ndarray]:
    """What is fed besides data, by name: whether it trains, a rate of dropout."""
    fed = {graph.as_graph_element(key): value for key, value in feed_dict.items()}
    return {
        tensor.name: np.asarray(value)
        for tensor, value in fed.items()
        if tensor.dtype != tf.string and tensor.shape.rank == 0
    }


def trains(graph, fetches) -> bool:
    trainable = {
        variable.op.name
        for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)
    }
    return graph_ops.touches_trainables(_flat(graph, fetches), trainable)


def _flat(graph, fetches) -> list:
    found = []
    for fetch in tf.nest.flatten(_plain(fetches)):
        element = (
            graph.as_graph_element(fetch)
            if isinstance(fetch, str) or hasattr(fetch, "_as_graph_element")
            else fetch
        )
        found.append(element)
    return [element for element in found if isinstance(element, (tf.Tensor, tf.Operation))]


def _plain(fetches):
    """Dictionaries with objects for keys, as hooks have, cannot be sorted by `tf.nest`."""
    if isinstance(fetches, dict):
        return [_plain(value) for value in fetches.values()]
    if isinstance(fetches, (list, tuple)):
        return [_plain(value) for value in fetches]
    return fetches


def network_of(graph, fetches, feed_dict: dict) -> Network:
    """The network behind a training call: its loss is the one scalar that is fetched along with the update."""
    flat = _flat(graph, fetches)
    trainable = {
        variable.op.name
        for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)
    }
    scalars = [
        fetch
        for fetch in flat
        if isinstance(fetch, tf.Tensor)
        and fetch.dtype.is_floating
        and fetch.shape.rank == 0
        and not graph_ops.touches_trainables([fetch], trainable)
    ]
    train_ops = [fetch for fetch in flat if graph_ops.touches_trainables([fetch], trainable)]
    if not scalars:
        raise UserError("its loss was not seen: fetch it in the same Session.run as the train_op")
    signal, labels = data_tensors(graph, fetches, feed_dict)
    train_op = train_ops[0] if isinstance(train_ops[0], tf.Operation) else train_ops[0].op
    fed = {graph.as_graph_element(key): value for key, value in feed_dict.items()}
    constants = {
        tensor: value
        for tensor, value in fed.items()
        if tensor is not signal and tensor is not labels
    }
    return Network(graph, {"signal": signal}, labels, scalars[0], train_op, constants=constants)


def data_tensors(graph, fetches, feed_dict: dict) -> list:
    """(signal, labels): what the iterators behind a call give, or what it is fed. The signal is the larger."""
    needed = graph_ops.ancestors(_flat(graph, fetches))
    given = [
        output
        for operation in needed
        if operation.type in ("IteratorGetNext", "IteratorGetNextSync")
        for output in operation.outputs
    ]
    given += [
        tensor
        for tensor in map(graph.as_graph_element, feed_dict)
        if tensor.dtype != tf.string and tensor.shape.rank != 0
    ]
    if len(given) != 2:
        raise UserError(
            f"its input was not seen: features and labels were looked for, {len(given)} tensors were found"
        )
    return sorted(
        given, key=lambda tensor: tensor.shape.rank is None or tensor.shape.rank, reverse=True
    )
