"""Ports that are graphs of TensorFlow 1.

The graph comes from a function, from a `model_fn` or Estimator, or from a captured session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow.compat.v1 as tf

from bench.parity.port import (
    Activation,
    Curve,
    Gradients,
    Loss,
    Optimizer,
    PortBatch,
    Slots,
    Variable,
    Weights,
    train_curve,
)
from bench.parity.ports import graph_ops
from bench.parity.ports.random_numbers import random_numbers
from bench.task import UserError


@dataclass
class Network:
    """One graph of a port, for training or evaluation.

    `initialise` is called after the graph's own initialisers, to load other initial weights.
    `constants` are fed in every call. `metrics` are (value, update) pairs of streaming metrics by
    name. `batch_mean` is set where the API's evaluation loss is the mean over batches, as
    Estimator's is.
    """

    graph: tf.Graph
    features: dict[str, tf.Tensor]
    labels: tf.Tensor
    loss: tf.Tensor
    train_op: tf.Operation | None = None
    logits: tf.Tensor | None = None
    initialise: Callable[[tf.Session], None] | None = None
    constants: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    batch_mean: bool = False


class GraphPort:
    """Presents two graphs of TensorFlow 1 as a `bench.parity.port.Port`.

    `training` has a train_op; `evaluation` may be the same network. `again` builds the first with
    another seed. Without it, a task gives the initial weights.
    """

    def __init__(
        self, training: Network, evaluation: Network, again: Callable[[int], Network] | None = None
    ):
        self.weights_given = again is None
        self._again = again
        self._training = _Running(training)
        self._evaluation = self._training if evaluation is training else _Running(evaluation)
        self._updates = {update.variable: update for update in graph_ops.updates(training.train_op)}
        self._variables = self._find_variables()

    def variables(self) -> list[Variable]:
        forward = graph_ops.ancestors([self._training.network.loss])
        return [
            Variable(
                name,
                tuple(variable.shape.as_list()),
                variable.dtype.base_dtype.name,
                name in self._training.trainable,
                graph_ops.layout_of(variable.op.outputs[0], len(variable.shape), forward),
            )
            for name, variable in self._variables.items()
        ]

    def initial_weights(self, draws: int) -> list[Weights]:
        self._training.initialise()
        drawn = [self.weights()]
        if self._again is None:
            return drawn
        for seed in range(1, draws):
            other = _Running(self._again(seed))
            other.initialise()
            drawn.append(other.session.run({name: other.by_name[name] for name in self._variables}))
            other.session.close()
        return drawn

    def set_weights(self, weights: Weights) -> None:
        for running in self._both():
            running.initialise()
            running.load(weights)

    def weights(self) -> Weights:
        return self._training.session.run(self._variables)

    def forward(self, features: Weights, training: bool, draw: int) -> list[Activation]:
        running = self._synced(training)
        feed = running.feed(PortBatch(features, running.any_labels(features)), draw)
        values = running.session.run(running.activations, feed)
        samples = len(next(iter(features.values())))
        fed = len(feed[next(iter(running.network.features.values()))])
        return [
            Activation(tensor.op.name, tensor.op.type, value[:samples])
            for tensor, value in zip(running.activations, values)
            if value.ndim and len(value) == fed
        ]

    def loss(self, batch: PortBatch, training: bool, draw: int) -> Loss:
        running = self._synced(training)
        value, per_sample, regularisation = running.session.run(
            [running.network.loss, running.sample_losses, running.regularisation],
            running.feed(batch, draw),
        )
        per_sample = per_sample[0][: len(batch)] if per_sample else None
        per_sample = (
            per_sample if per_sample is not None and per_sample.shape == (len(batch),) else None
        )
        return Loss(float(value), per_sample, float(sum(regularisation)))

    def gradients(self, batch: PortBatch, draw: int) -> Gradients:
        running = self._training
        defined = {
            name: gradient for name, gradient in running.gradients.items() if gradient is not None
        }
        values = running.session.run(defined, running.feed(batch, draw))
        return {name: values.get(name) for name in running.gradients}

    def optimizer(self) -> Optimizer | None:
        names = {update.optimizer for update in self._updates.values()}
        return Optimizer(names.pop(), fused=True) if len(names) == 1 else None

    def step(self, batch: PortBatch, draw: int, rate_factor: float = 1.0) -> float:
        running = self._training
        feed = running.feed(batch, draw)
        if rate_factor != 1.0:
            feed.update(self._rates(rate_factor, feed))
        _, loss = running.session.run([running.network.train_op, running.network.loss], feed)
        return float(loss)

    def apply(self, gradients: Weights, batch: PortBatch) -> bool:
        running = self._training
        updates = [self._updates[name] for name in gradients if name in self._updates]
        feed = running.feed(batch, 0)
        if len(updates) < len(gradients) or self._transforms_gradients(updates, feed):
            return False
        feed.update({update.gradient: gradients[update.variable] for update in updates})
        running.session.run(running.network.train_op, feed)
        return True

    def slots(self) -> Slots:
        running = self._training
        found = {}
        for name, update in self._updates.items():
            shape = running.by_name[name].shape
            mine = {
                role: running.by_name[slot]
                for role, slot in update.slots.items()
                if slot in running.by_name
                and running.by_name[slot].shape == shape
                and "power" not in role
            }
            found[name] = list(running.session.run(mine).items())
        return found

    def steps_counted(self) -> int | None:
        running = self._training
        return (
            None if running.global_step is None else int(running.session.run(running.global_step))
        )

    def learning_rates(self, steps: list[int], batch: PortBatch) -> np.ndarray | None:
        rates = [update.rate for update in self._updates.values()]
        running = self._training
        if not rates or any(rate is None for rate in rates) or running.global_step is None:
            return None
        feed = running.feed(batch, 0)
        read = []
        for step in steps:
            running.load({running.global_step.op.name: np.asarray(step)})
            read.append(running.session.run(rates[0], feed))
        return np.array(read)

    def curve(self, batches: list[PortBatch], steps: int) -> Curve:
        return train_curve(self, batches, steps)

    def evaluate(self, batches: list[PortBatch]) -> dict[str, float]:
        running = self._synced(training=False)
        session, network = running.session, running.network
        session.run(running.local_initialiser)
        losses = []
        for batch in batches:
            updates = [update for _, update in network.metrics.values()]
            losses.append(session.run([network.loss, updates], running.feed(batch, 0))[0])
        weights = None if network.batch_mean else [len(batch) for batch in batches]
        values = session.run({name: value for name, (value, _) in network.metrics.items()})
        return {
            "loss": float(np.average(losses, weights=weights)),
            **{name: float(value) for name, value in values.items() if np.ndim(value) == 0},
        }

    def _find_variables(self) -> dict[str, tf.Variable]:
        """Returns trainable variables, and others that the loss of either graph depends on.

        The optimizer's variables are left out.
        """
        optimizers = {slot for update in self._updates.values() for slot in update.slots.values()}
        read = {
            operation.name
            for running in self._both()
            for operation in graph_ops.ancestors([running.network.loss])
        }
        return {
            name: variable
            for name, variable in self._training.by_name.items()
            if name in self._training.trainable
            or (name in read and name not in optimizers and variable.dtype.is_floating)
        }

    def _both(self) -> list[_Running]:
        return (
            [self._training]
            if self._evaluation is self._training
            else [self._training, self._evaluation]
        )

    def _synced(self, training: bool) -> _Running:
        """Returns the graph of a mode. The evaluation graph gets the training graph's weights."""
        if training or self._evaluation is self._training:
            return self._training
        self._evaluation.load(self.weights())
        return self._evaluation

    def _rates(self, factor: float, feed: dict) -> dict:
        """Returns the learning rates times `factor`, to be fed in their place.

        Raises:
            UserError: there are none that can be seen.
        """
        rates = {
            update.rate.ref(): update.rate
            for update in self._updates.values()
            if update.rate is not None
        }
        if not rates:
            raise UserError("its learning rate cannot be seen")
        before = self.weights()
        values = self._training.session.run(list(rates.values()), feed)
        self._training.load(before)  # a rate that waits for moving statistics has moved them
        return {
            rate: value * np.asarray(factor, value.dtype)
            for rate, value in zip(rates.values(), values)
        }

    def _transforms_gradients(self, updates: list[graph_ops.Update], feed: dict) -> bool:
        """Returns whether the updates use other gradients than the loss's, such as clipped ones.

        A gradient that is fed to the update would bypass what changes them.
        """
        running = self._training
        pairs = [(running.gradients[update.variable], update.gradient) for update in updates]
        return any(
            raw is None or not np.array_equal(raw, used)
            for raw, used in running.session.run(pairs, feed)
        )


class _Running:
    """A network in a session of its own."""

    def __init__(self, network: Network):
        self.network = network
        graph = network.graph
        graph._unsafe_unfinalize()  # MonitoredSession finalizes; the derivatives below are added
        with graph.as_default():
            features = list(network.features.values())
            self.by_name = {variable.op.name: variable for variable in tf.global_variables()}
            self.trainable = {variable.op.name for variable in tf.trainable_variables()}
            self.global_step = tf.train.get_global_step()
            self.random = graph_ops.random_operations(graph, network.loss)
            self.activations = graph_ops.activations(
                graph,
                features,
                [network.logits if network.logits is not None else network.loss],
                [network.labels],
            )
            self.sample_losses = self._find_sample_losses()
            self.regularisation = [
                tf.convert_to_tensor(loss)
                for loss in tf.get_collection(  # collected, whether added or not
                    tf.GraphKeys.REGULARIZATION_LOSSES
                )
            ]
            variables = [self.by_name[name] for name in self.by_name if name in self.trainable]
            gradients = (
                tf.gradients(network.loss, variables) if network.train_op is not None else []
            )
            self.gradients = {
                variable.op.name: None if gradient is None else tf.convert_to_tensor(gradient)
                for variable, gradient in zip(variables, gradients)
            }
            self.global_initialiser = tf.global_variables_initializer()
            self.local_initialiser = tf.local_variables_initializer()
        self.session = tf.Session(graph=graph)

    def initialise(self) -> None:
        self.session.run([self.global_initialiser, self.local_initialiser], self.network.constants)
        if self.network.initialise is not None:
            self.network.initialise(self.session)

    def load(self, weights: Weights) -> None:
        with self.network.graph.as_default():
            for name, value in weights.items():
                if name in self.by_name:
                    self.by_name[name].load(value, self.session)

    def feed(self, batch: PortBatch, draw: int) -> dict:
        """Returns what is fed for a batch, with the common random numbers of `draw`.

        A graph may have a fixed number of samples, as after `batch(drop_remainder=True)`. A smaller
        batch is then filled up with its own samples.
        """
        network = self.network
        feed = {
            **network.constants,
            network.labels: _filled(batch.labels, network.labels),
            **{
                tensor: _filled(batch.features[name], tensor)
                for name, tensor in network.features.items()
            },
        }
        if self.random:
            shapes = self.session.run([operation.inputs[0] for operation in self.random], feed)
            feed.update(
                {
                    operation.outputs[0]: random_numbers(
                        operation.type, tuple(shape), draw, index
                    ).astype(operation.outputs[0].dtype.as_numpy_dtype)
                    for index, (operation, shape) in enumerate(zip(self.random, shapes))
                }
            )
        return feed

    def any_labels(self, features: Weights) -> np.ndarray:
        """Returns zeros for labels, to be fed where nothing that is run depends on them."""
        samples = len(next(iter(features.values())))
        shape = [
            samples if size is None else size
            for size in (self.network.labels.shape.as_list() or [])
        ]
        return np.zeros(shape, self.network.labels.dtype.as_numpy_dtype)

    def _find_sample_losses(self) -> list[tf.Tensor]:
        """Returns the last vector computed from activations and labels before the loss, or none."""
        network = self.network
        on_the_way = graph_ops.descendants(network.graph, [network.labels]) & graph_ops.ancestors(
            [network.loss]
        )
        computed = {tensor.op for tensor in self.activations}
        vectors = [
            operation.outputs[0]
            for operation in network.graph.get_operations()
            if operation in on_the_way
            and operation.outputs
            and operation.outputs[0].dtype.is_floating
            and operation.outputs[0].shape.rank == 1
            and not computed.isdisjoint(graph_ops.ancestors(operation.outputs, floating=True))
        ]
        return vectors[-1:]


def _filled(values: np.ndarray, tensor: tf.Tensor) -> np.ndarray:
    size = tensor.shape[0] if tensor.shape.rank else None
    return (
        np.resize(values, (size, *values.shape[1:]))
        if size is not None and len(values) < size
        else values
    )
