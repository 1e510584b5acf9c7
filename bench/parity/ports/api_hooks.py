"""Hooks into the calls by which the APIs train: `Model.fit`, `Estimator.train`, `Session.run`.

The functions are replaced in the port's own process. Nothing in a port's code is changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.python.client import session as session_module

from bench.parity.ports import graph_ops
from bench.parity.ports.graph import Network
from bench.patched import patched
from bench.task import UserError


@contextlib.contextmanager
def replaced(
    fit: Callable | None = None,
    estimator_train: Callable | None = None,
    run: Callable | None = None,
) -> Iterator[dict[str, Callable]]:
    """Replaces the APIs' training calls while the block runs.

    Yields the original functions by the names of the parameters. `fit` and `estimator_train` get
    the arguments of the original; `run` gets the original itself before them. A TensorFlow without
    `tf.estimator` has no `estimator_train` to replace.

    Raises:
        AttributeError: TensorFlow has no function of this name.
    """
    hooks = {
        "fit": (tf.keras.Model, "fit", fit),
        "run": (session_module.BaseSession, "run", _session_hook(run)),
    }
    if hasattr(tf, "estimator"):  # its Estimator inherits from that of TensorFlow 1
        estimator = tf.compat.v1.estimator.Estimator
        hooks["estimator_train"] = (estimator, "train", estimator_train)
    originals = {hook: getattr(owner, name) for hook, (owner, name, _) in hooks.items()}
    with contextlib.ExitStack() as replacements:
        for owner, name, function in hooks.values():
            if function is not None:
                replacements.enter_context(patched(owner, {name: function}))
        yield originals


def _session_hook(run: Callable | None) -> Callable | None:
    """Returns the method that calls `run(original, session, ...)`."""
    if run is None:
        return None
    original = session_module.BaseSession.run
    return lambda session, *arguments, **options: run(original, session, *arguments, **options)


def variables(graph: tf.Graph) -> list[tf.Variable]:
    """Returns all variables of a graph."""
    return graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)


def predicts(graph: tf.Graph, fetches) -> bool:
    """Returns whether fetches compute with trainable variables, and do not only read them."""
    trainable = _trainable_names(graph)
    needed = graph_ops.ancestors(_flat(graph, fetches))
    return any(operation.type == "MatMul" for operation in needed) and any(
        operation.name in trainable for operation in needed
    )


def settings(graph: tf.Graph, feed_dict: dict) -> dict[str, np.ndarray]:
    """Returns the scalars that are fed besides data, by tensor name, such as whether the network
    trains, or a rate of dropout."""
    fed = {graph.as_graph_element(key): value for key, value in feed_dict.items()}
    return {
        tensor.name: np.asarray(value)
        for tensor, value in fed.items()
        if tensor.dtype != tf.string and tensor.shape.rank == 0
    }


def trains(graph: tf.Graph, fetches) -> bool:
    """Returns whether running fetches updates a trainable variable."""
    return graph_ops.updates_trainables(_flat(graph, fetches), _trainable_names(graph))


def _trainable_names(graph: tf.Graph) -> set[str]:
    """Returns the names of the operations of all trainable variables."""
    return {
        variable.op.name
        for variable in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)
    }


def _flat(graph: tf.Graph, fetches) -> list[tf.Tensor | tf.Operation]:
    """Returns the tensors and operations among fetches of any structure."""
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
    """Returns fetches as lists. `tf.nest` cannot sort dictionaries whose keys are objects, and
    those of session hooks are."""
    if isinstance(fetches, dict):
        return [_plain(value) for value in fetches.values()]
    if isinstance(fetches, (list, tuple)):
        return [_plain(value) for value in fetches]
    return fetches


def network_of(graph: tf.Graph, fetches, feed_dict: dict) -> Network:
    """Returns the network that a training call updates. Its loss is the scalar that is fetched
    together with the update.

    Raises:
        UserError: no loss is fetched, or the call's input is not one tensor of features and one of
            labels.
    """
    flat = _flat(graph, fetches)
    trainable = _trainable_names(graph)
    scalars = [
        fetch
        for fetch in flat
        if isinstance(fetch, tf.Tensor)
        and fetch.dtype.is_floating
        and fetch.shape.rank == 0
        and not graph_ops.updates_trainables([fetch], trainable)
    ]
    train_ops = [fetch for fetch in flat if graph_ops.updates_trainables([fetch], trainable)]
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


def data_tensors(graph: tf.Graph, fetches, feed_dict: dict) -> list[tf.Tensor]:
    """Returns the tensors of features and of labels. They come from the iterators that a call
    reads, or are fed. Features have the higher rank.

    Raises:
        UserError: there are not two such tensors.
    """
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
            "its input was not seen: features and labels were looked for, "
            f"{len(given)} tensors were found"
        )
    return sorted(
        given, key=lambda tensor: tensor.shape.rank is None or tensor.shape.rank, reverse=True
    )
