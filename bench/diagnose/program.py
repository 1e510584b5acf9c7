"""Watching a program that trains by itself.

That is a script with `Model.fit`, with an Estimator, or with a loop over `Session.run`. It does not
report its steps, so the loss of a batch is read where it is computed.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from tensorflow.python.client import session as session_module

from bench.diagnose.training_watch import SessionTraining, TrainingWatch
from bench.parity.inputs import part
from bench.parity.port import PortBatch
from bench.parity.ports.api_hooks import (
    data_tensors,
    network_of,
    predicts,
    replaced,
    settings,
    trains,
    variables,
)
from bench.parity.ports.capture import session_port
from bench.parity.ports.keras import KerasPort
from bench.patched import patched
from bench.process.reason import one_line

PROBE = 32
"""Number of samples of which snapshots are taken."""

EXAMINED = 512
"""Number of training samples whose outputs are judged at the end."""


class _EnoughSteps(BaseException):
    """Ends a program that was watched for long enough.

    It is no `Exception`, so that a program cannot catch it by accident.
    """


class ProgramWatch(TrainingWatch):
    """Watches the first network that a program trains.

    Attributes:
        examined: batches of training samples whose outputs are judged at the end.
        model: the model that is watched, if Keras trains it.
        unseen: why the model cannot be watched; "" if it can.
        batch_losses: losses of the batches since the last step was reported.
    """

    def __init__(self, longest_s: float) -> None:
        """Watches for at most `longest_s` seconds."""
        super().__init__()
        self.training = True
        self.examined: list[PortBatch] = []
        self.model: tf.keras.Model | None = None
        self.unseen = ""
        self.batch_losses: list[float] = []
        self._longest_s = longest_s
        self._started = self.clock()

    def step(self, loss: float, steps: int = 1) -> None:
        super().step(loss, steps)
        if self.clock() - self._started > self._longest_s:
            raise _EnoughSteps

    def examine(self, batch: PortBatch) -> None:
        """Keeps samples of the batches to come, until there are `EXAMINED` of them."""
        wanted = EXAMINED - sum(map(len, self.examined))
        if wanted > 0:
            self.examined.append(part(batch, 0, wanted))


def watch_program(program: Callable[[], object], watch: ProgramWatch) -> None:
    """Runs a program to its end, or for the time that `watch` has, and watches its training."""
    with _watched_fit(watch), _watched_sessions(watch):
        try:
            program()
        except (_EnoughSteps, SystemExit):
            pass
        finally:
            _keep_final_weights(watch)


@contextmanager
def _watched_fit(watch: ProgramWatch) -> Iterator[None]:
    signature = inspect.signature(tf.keras.Model.fit)

    def fit(model, *arguments, **options):
        bound = signature.bind(model, *arguments, **options)
        unseen = watch.model is None and watch.session_training is None
        if unseen and model._is_compiled:
            watch.model = model
            try:
                _watch_model(watch, model, bound.arguments)
            except Exception as problem:  # `fit` raises an error of its own if the model is wrong
                watch.unseen = one_line(problem)
        if watch.model is model and not watch.unseen:
            callbacks = tf.nest.flatten(bound.arguments.get("callbacks") or [])
            bound.arguments["callbacks"] = [_Steps(watch), *callbacks]
        return originals["fit"](*bound.args, **bound.kwargs)

    with replaced(fit=fit) as originals:
        yield


def _watch_model(watch: ProgramWatch, model: tf.keras.Model, arguments: dict) -> None:
    """Starts to watch a model before its first step: its samples and its losses.

    `arguments` are those of `fit`, by name; `x` may be replaced by an equal iterator.
    """
    first, arguments["x"] = _first_batch(arguments["x"], arguments.get("y"), EXAMINED)
    probe = part(first, 0, PROBE)
    watch.examined = [first] if len(first.features) > 1 else []
    watch.see(KerasPort(model, None, probe), probe, None)
    train_step, compute_loss = model.train_step, model.compute_loss
    stepping = []

    def keep(x, y):
        watch.received.keep(x, y)
        if len(first.features) == 1:
            watch.examine(PortBatch(dict.fromkeys(first.features, x), y))

    def note(loss):
        watch.batch_losses.append(float(loss))

    def watched_step(data):
        x, y, _ = tf.keras.utils.unpack_x_y_sample_weight(data)
        seen = tf.numpy_function(keep, [tf.nest.flatten(x)[0], tf.nest.flatten(y)[0]], [])
        stepping.append(True)
        try:
            with tf.control_dependencies([seen]):
                return train_step(tf.nest.map_structure(tf.identity, data))
        finally:
            stepping.pop()

    def watched_loss(*arguments, **options):
        loss = compute_loss(*arguments, **options)
        if not stepping:
            return loss
        with tf.control_dependencies([tf.numpy_function(note, [loss], [])]):
            return tf.identity(loss)

    model.train_step, model.compute_loss = watched_step, watched_loss
    model.jit_compile = False  # XLA cannot call Python


class _Steps(tf.keras.callbacks.Callback):
    """Reports every step with the losses of its batches; `logs` has only their mean so far."""

    def __init__(self, watch: ProgramWatch) -> None:
        super().__init__()
        self.watch = watch

    def on_train_batch_end(self, batch, logs=None):
        losses = self.watch.batch_losses[:] or [logs["loss"]]
        self.watch.batch_losses.clear()
        for loss in losses:
            self.watch.step(float(loss))


def _first_batch(x, y, size: int) -> tuple[PortBatch, object]:
    """Returns the first batch of `fit`'s data, and the data that `fit` is called with instead.

    The batch of arrays has `size` samples. Only iterators are replaced, by one that starts again.
    """
    if isinstance(x, tf.data.Dataset):
        first = next(iter(x))
    elif isinstance(x, tf.keras.utils.Sequence):
        first = x[0]
    elif hasattr(x, "__next__"):
        first = next(x)
        x = itertools.chain([first], x)
    else:
        first = tf.nest.map_structure(lambda values: np.asarray(values)[:size], (x, y))
    features, labels, _ = tf.keras.utils.unpack_x_y_sample_weight(
        tf.nest.map_structure(np.asarray, first)
    )
    if not isinstance(features, dict):
        features = {f"x{place}": value for place, value in enumerate(tf.nest.flatten(features))}
    return PortBatch(features, tf.nest.flatten(labels)[0]), x


@contextmanager
def _watched_sessions(watch: ProgramWatch) -> Iterator[None]:
    """Watches sessions, and the Estimators that train in them.

    If a program does not fetch its loss, the loss is known from its optimizer.
    """
    losses: dict = {}
    optimizer_class, session_class = tf.compat.v1.train.Optimizer, session_module.BaseSession
    compute_gradients, close = optimizer_class.compute_gradients, session_class.close

    def noted_gradients(optimizer, loss, *arguments, **options):
        if isinstance(loss, tf.Tensor):
            losses.setdefault(loss.graph, loss)
        return compute_gradients(optimizer, loss, *arguments, **options)

    def noted_close(session):
        training = watch.session_training
        if training is not None and training.session is session:
            _keep_final_weights(watch)
        close(session)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        graph, fed = session.graph, feed_dict or {}
        if not _is_watched(watch, session) or not trains(graph, fetches):
            if _is_watched(watch, session) and predicts(graph, fetches):
                watch.evaluating.update(settings(graph, fed))
            return original(session, fetches, feed_dict, *arguments, **options)
        first = watch.session_training is None
        with_loss = [losses[graph], fetches] if graph in losses else [fetches]
        training = watch.session_training or SessionTraining(
            session, network_of(graph, with_loss, fed), data_tensors(graph, with_loss, fed)
        )
        named = {variable.op.name: variable for variable in variables(graph)}
        initial = original(session, named) if first else {}
        result, values, loss = original(
            session,
            (fetches, training.data, training.network.loss),
            feed_dict,
            *arguments,
            **options,
        )
        batch = PortBatch({"signal": values[0]}, values[1])
        if first:
            watch.session_training = training
            port = session_port(training.network, initial, {})
            network = watch.see(port, part(batch, 0, PROBE), lambda: initial)
            network.live_weights = lambda: original(session, named)
        watch.received.keep(*values)
        watch.examine(batch)
        watch.step(float(loss))
        return result

    noted = {"compute_gradients": noted_gradients}
    closing = {"close": noted_close}
    with patched(optimizer_class, noted), patched(session_class, closing), replaced(run=run):
        yield


def _is_watched(watch: ProgramWatch, session) -> bool:
    """Returns whether a session may be the one that trains the watched network."""
    if watch.taking_snapshot or watch.model is not None:
        return False
    return watch.session_training is None or watch.session_training.session is session


def _keep_final_weights(watch: ProgramWatch) -> None:
    """Keeps the weights that training has reached, while their session is open."""
    training = watch.session_training
    if training is not None and watch.network is not None and not training.session._closed:
        watch.final_weights = watch.network.weights()
