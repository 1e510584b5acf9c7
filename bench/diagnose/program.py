"""Watching a program that trains by itself: a script with `Model.fit`, with an Estimator, or with a loop over `Session.run`.

Nobody reports its steps, so the loss of a batch is taken where it is computed.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from tensorflow.python.client import session as session_module

from bench.diagnose.training_watch import TrainingWatch
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
from bench.process.reason import one_line

PROBE = 32
EXAMINED = 512
"""Samples of the training data whose outputs are judged at the end."""


class _EnoughSteps(BaseException):
    """Ends a program that was watched for long enough. No program's `except Exception` stops it."""


@dataclass
class ProgramWatch(TrainingWatch):
    """Watches the first network that a program trains, for `most_s` seconds at most. `examined` are samples of its training
    data; `model` is what is watched if Keras trains it, `session` if a session does; `unseen` says why it cannot be."""

    most_s: float = 300.0
    examined: list[PortBatch] = field(default_factory=list)
    model: tf.keras.Model | None = None
    session: object = None
    unseen: str = ""
    batch_losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.training = True
        self._started = self.clock()

    def step(self, loss: float, steps: int = 1) -> None:
        super().step(loss, steps)
        if self.clock() - self._started > self.most_s:
            raise _EnoughSteps

    def examine(self, batch: PortBatch) -> None:
        """Keeps samples of the batches that come, until there are enough."""
        wanted = EXAMINED - sum(map(len, self.examined))
        if wanted > 0:
            self.examined.append(part(batch, 0, wanted))


def watch_program(program: Callable[[], object], watcher: ProgramWatch) -> None:
    """Runs a program under the eyes of `watcher`, to its end or until that has seen enough."""
    with _watched_fit(watcher), _watched_sessions(watcher):
        try:
            program()
        except (_EnoughSteps, SystemExit):
            pass
        finally:
            _ended(watcher)


@contextmanager
def _watched_fit(watcher: ProgramWatch) -> Iterator[None]:
    signature = inspect.signature(tf.keras.Model.fit)

    def fit(model, *arguments, **options):
        given = signature.bind(model, *arguments, **options)
        if watcher.model is None and watcher.session is None and model._is_compiled:
            watcher.model = model
            try:
                _watch_model(watcher, model, given.arguments)
            except Exception as problem:  # what is wrong with it, `fit` will say in its own words
                watcher.unseen = one_line(problem)
        if watcher.model is model and not watcher.unseen:
            callbacks = tf.nest.flatten(given.arguments.get("callbacks") or [])
            given.arguments["callbacks"] = [_Steps(watcher), *callbacks]
        return originals["fit"](*given.args, **given.kwargs)

    with replaced(fit=fit) as originals:
        yield


def _watch_model(watcher: ProgramWatch, model: tf.keras.Model, given: dict) -> None:
    """Sees a model before its first step, and puts itself between the model and its losses."""
    first, given["x"] = _first_batch(given["x"], given.get("y"), EXAMINED)
    watcher.probe = part(first, 0, PROBE)
    watcher.examined = [first] if len(first.features) > 1 else []
    watcher.see(KerasPort(model, None, watcher.probe), None)
    train_step, compute_loss = model.train_step, model.compute_loss
    stepping = []

    def keep(x, y):
        watcher.kept.keep(x, y)
        if len(first.features) == 1:
            watcher.examine(PortBatch(dict.fromkeys(first.features, x), y))

    def note(loss):
        watcher.batch_losses.append(float(loss))

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
    """Reports every step, with the losses of its batches; `logs` has their mean over the epoch."""

    def __init__(self, watcher: ProgramWatch):
        super().__init__()
        self.watcher = watcher

    def on_train_batch_end(self, batch, logs=None):
        losses = self.watcher.batch_losses[:] or [logs["loss"]]
        self.watcher.batch_losses.clear()
        for loss in losses:
            self.watcher.step(float(loss))


def _first_batch(x, y, size: int) -> tuple[PortBatch, object]:
    """The first batch of what `fit` is given, of `size` samples if that is arrays, and what is to be given to it now."""
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
def _watched_sessions(watcher: ProgramWatch) -> Iterator[None]:
    """Sessions, and the Estimators that train in them. A loss that a program does not fetch is known from its optimizer."""
    losses: dict = {}
    optimizer_class, session_class = tf.compat.v1.train.Optimizer, session_module.BaseSession
    compute_gradients, close = optimizer_class.compute_gradients, session_class.close

    def noted_gradients(optimizer, loss, *arguments, **options):
        if isinstance(loss, tf.Tensor):
            losses.setdefault(loss.graph, loss)
        return compute_gradients(optimizer, loss, *arguments, **options)

    def noted_close(session):
        if session is watcher.session:
            _ended(watcher)
        close(session)

    def run(original, session, fetches, feed_dict=None, *arguments, **options):
        def plainly():
            return original(session, fetches, feed_dict, *arguments, **options)

        if watcher.looking or watcher.model is not None or watcher.session not in (None, session):
            return plainly()
        graph, fed = session.graph, feed_dict or {}
        if not trains(graph, fetches):
            if predicts(graph, fetches):
                watcher.evaluating.update(settings(graph, fed))
            return plainly()
        if watcher.session is None:
            with_loss = [losses[graph], fetches] if graph in losses else [fetches]
            watcher.network, watcher.data = (
                network_of(graph, with_loss, fed),
                data_tensors(graph, with_loss, fed),
            )
        named = {variable.op.name: variable for variable in variables(graph)}
        before = original(session, named) if watcher.session is None else None
        result, values, loss = original(
            session, (fetches, watcher.data, watcher.network.loss), feed_dict, *arguments, **options
        )
        batch = PortBatch({"signal": values[0]}, values[1])
        if watcher.session is None:
            watcher.session, watcher.probe = session, part(batch, 0, PROBE)
            watcher.see(session_port(watcher.network, before, {}), lambda: before)
            watcher.live_from(lambda: original(session, named))
        watcher.kept.keep(*values)
        watcher.examine(batch)
        watcher.step(float(loss))
        return result

    optimizer_class.compute_gradients, session_class.close = noted_gradients, noted_close
    try:
        with replaced(run=run):
            yield
    finally:
        optimizer_class.compute_gradients, session_class.close = compute_gradients, close


def _ended(watcher: ProgramWatch) -> None:
    """Keeps the weights of the end, while its session is open."""
    if watcher.session is not None and not watcher.session._closed:
        watcher.ended = watcher.now()
