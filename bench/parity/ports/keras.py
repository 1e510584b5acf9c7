"""Ports that are compiled Keras models: functional, sequential or subclassed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

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
from bench.parity.ports.keras_inputs import check_compiled
from bench.parity.ports.keras_rate import AdjustableRate
from bench.parity.ports.random_numbers import CommonRandomNumbers
from bench.task import UserError


class KerasPort:
    """Presents a compiled model as a `bench.parity.port.Port`.

    `again` makes another model, with other initial weights. Without it, a task gives the initial
    weights. `batch` shows its input to a model that declares none.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        again: Callable[[], tf.keras.Model] | None,
        batch: PortBatch | None,
    ):
        check_compiled(model)
        self.weights_given = again is None
        self._model = model
        self._again = again
        self._random = CommonRandomNumbers()
        self._rate = AdjustableRate(model.optimizer)
        self._activations: dict[bool, list[tuple[str, str]]] = {}
        self._layouts: dict[int, tuple[int, ...]] = {}
        if not model.built or model.inputs is None:
            if batch is None:
                raise UserError("its model declares no input shapes: give --batch FILE.npz")
            model(self._x(batch.features))
        self._make_functions()
        self._build_optimizer()
        self._given = self.weights()
        self._fresh_state = [variable.numpy() for variable in self._optimizer_variables()]

    def variables(self) -> list[Variable]:
        trainable = {id(variable) for variable in self._model.trainable_variables}
        return [
            Variable(
                name,
                tuple(variable.shape),
                variable.dtype.name,
                id(variable) in trainable,
                self._layouts.get(id(variable), tuple(range(len(variable.shape)))),
            )
            for name, variable in self._named()
        ]

    def initial_weights(self, draws: int) -> list[Weights]:
        drawn = [self._given]
        if self._again is None:
            return drawn
        for seed in range(1, draws):
            tf.keras.utils.set_random_seed(seed)
            model = self._again()
            if model.weights:  # a subclassed model has none before its first call
                drawn.append(
                    dict(zip(self._given, (variable.numpy() for variable in model.weights)))
                )
        return drawn

    def set_weights(self, weights: Weights) -> None:
        for name, variable in self._named():
            variable.assign(weights[name])
        for variable, value in zip(self._optimizer_variables(), self._fresh_state):
            variable.assign(value)

    def weights(self) -> Weights:
        return {name: variable.numpy() for name, variable in self._named()}

    def forward(self, features: Weights, training: bool, draw: int) -> list[Activation]:
        self._random.draw = draw
        before = self.weights()
        values = self._traced(self._forward[training], features)
        for name, variable in self._named():
            variable.assign(before[name])  # moving statistics
        samples = len(next(iter(features.values())))
        return [
            Activation(name, operation, value.numpy())
            for (name, operation), value in zip(self._activations[training], values)
            if value.shape.rank and len(value) == samples
        ]

    def loss(self, batch: PortBatch, training: bool, draw: int) -> Loss:
        self._random.draw = draw
        before = self.weights()
        value, regularisation, outputs = self._traced(
            self._loss[training], batch.features, batch.labels
        )
        for name, variable in self._named():
            variable.assign(before[name])
        return Loss(float(value), self._sample_losses(batch.labels, outputs), float(regularisation))

    def gradients(self, batch: PortBatch, draw: int) -> Gradients:
        self._random.draw = draw
        before = self.weights()
        gradients = self._traced(self._gradients, batch.features, batch.labels)
        for name, variable in self._named():
            variable.assign(before[name])
        return {
            name: gradients[name].numpy() if name in gradients else None
            for name in self._trainable_names()
        }

    def optimizer(self) -> Optimizer | None:
        optimizer = self._model.optimizer
        legacy = isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer)
        return Optimizer(type(optimizer).__name__, fused=legacy)

    def step(self, batch: PortBatch, draw: int, rate_factor: float = 1.0) -> float:
        self._random.draw = draw
        with self._random.while_tracing(), self._rate(rate_factor):
            logs = self._model.train_on_batch(
                self._x(batch.features), batch.labels, reset_metrics=True, return_dict=True
            )
        return float(logs["loss"])

    def apply(self, gradients: Weights, batch: PortBatch) -> bool:
        trained = self._trainable_names()
        self._apply({name: tf.constant(gradients[name]) for name in trained if name in gradients})
        return True

    def slots(self) -> Slots:
        optimizer = self._model.optimizer
        pairs = list(zip(self._trainable_names(), self._model.trainable_variables))
        if isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
            return {
                name: [
                    (slot, self._as_accumulated(slot, optimizer.get_slot(variable, slot).numpy()))
                    for slot in optimizer.get_slot_names()
                ]
                for name, variable in pairs
            }
        if isinstance(optimizer, tf.keras.optimizers.SGD) and not optimizer.momentum:
            return {name: [] for name, _ in pairs}  # it has slots, and does not use them
        lists = {
            attribute.strip("_"): value
            for attribute, value in vars(optimizer).items()
            if attribute not in ("_variables", "_trainable_variables")
            and _is_slot_list(value, pairs)
        }
        return {
            name: [
                (role, self._as_accumulated(role, values[index].numpy()))
                for role, values in lists.items()
            ]
            for index, (name, _) in enumerate(pairs)
        }

    def steps_counted(self) -> int | None:
        return int(self._model.optimizer.iterations)

    def learning_rates(self, steps: list[int], batch: PortBatch) -> np.ndarray | None:
        return self._rate.at(steps)

    def curve(self, batches: list[PortBatch], steps: int) -> Curve:
        return train_curve(self, batches, steps)

    def evaluate(self, batches: list[PortBatch]) -> dict[str, float]:
        features = {
            name: np.concatenate([batch.features[name] for batch in batches])
            for name in batches[0].features
        }
        labels = np.concatenate([batch.labels for batch in batches])
        results = self._model.evaluate(
            self._x(features), labels, batch_size=len(batches[0]), verbose=0, return_dict=True
        )
        return {name: float(value) for name, value in results.items()}

    def _make_functions(self) -> None:
        model = self._model

        def forward(training):
            def traced(features):
                inputs = self._x(features)
                outputs = model(inputs, training=training)
                graph = tf.compat.v1.get_default_graph()
                self._note_layouts(graph)
                tensors = graph_ops.activations(
                    graph, list(features.values()), tf.nest.flatten(outputs), []
                )
                self._activations[training] = [
                    (tensor.op.name, tensor.op.type) for tensor in tensors
                ]
                return tensors

            return tf.function(traced)

        def loss(training):
            def traced(features, labels):
                outputs = model(self._x(features), training=training)
                regularisation = tf.add_n(model.losses) if model.losses else tf.zeros([])
                return (
                    model.compute_loss(self._x(features), labels, outputs),
                    regularisation,
                    outputs,
                )

            return tf.function(traced)

        @tf.function
        def gradients(features, labels):
            with tf.GradientTape() as tape:
                outputs = model(self._x(features), training=True)
                value = model.compute_loss(self._x(features), labels, outputs)
            found = tape.gradient(value, model.trainable_variables)
            return {
                name: tf.convert_to_tensor(gradient)
                for name, gradient in zip(self._trainable_names(), found)
                if gradient is not None
            }

        @tf.function
        def apply(gradients):
            pairs = dict(zip(self._trainable_names(), model.trainable_variables))
            model.optimizer.apply_gradients(
                [(gradient, pairs[name]) for name, gradient in gradients.items()]
            )

        self._forward = {training: forward(training) for training in (False, True)}
        self._loss = {training: loss(training) for training in (False, True)}
        self._gradients, self._apply = gradients, apply

    def _traced(self, function, features: Weights, *labels):
        with self._random.while_tracing():
            return function(
                {name: tf.constant(value) for name, value in features.items()},
                *map(tf.constant, labels),
            )

    def _x(self, features: Weights):
        """Returns features as the model takes them: one array, a dict by the names of its inputs,
        or a list in their order."""
        if len(features) == 1:
            return next(iter(features.values()))
        names = [tensor.name.split(":")[0] for tensor in self._model.inputs or []]
        if self._model.inputs is None or set(names) == set(features):
            return dict(features)
        return list(features.values())

    def _named(self) -> list[tuple[str, tf.Variable]]:
        """Returns (name, variable). A name that several variables have gets a number."""
        counts: dict[str, int] = {}
        pairs = []
        for variable in self._model.weights:
            name = variable.name.split(":")[0]
            counts[name] = counts.get(name, 0) + 1
            pairs.append((name if counts[name] == 1 else f"{name}#{counts[name]}", variable))
        return pairs

    def _trainable_names(self) -> list[str]:
        names = {id(variable): name for name, variable in self._named()}
        return [names[id(variable)] for variable in self._model.trainable_variables]

    def _note_layouts(self, graph) -> None:
        """Notes each variable's layout. A traced function has its variables as captured handles."""
        handles = {id(external): internal for external, internal in graph.captures}
        for variable in self._model.weights:
            if id(variable.handle) in handles:
                self._layouts[id(variable)] = graph_ops.layout_of(
                    handles[id(variable.handle)], len(variable.shape)
                )

    def _sample_losses(self, labels: np.ndarray, outputs) -> np.ndarray | None:
        """Returns a loss per sample. None for several outputs or a loss that is no Keras `Loss`."""
        container = self._model.compiled_loss
        losses = tf.nest.flatten(container._losses)
        if len(losses) != 1 or not isinstance(losses[0], tf.keras.losses.Loss):
            return None
        outputs = tf.nest.flatten(outputs)[0]
        values = losses[0].call(_like_outputs(labels, outputs), outputs).numpy()
        return values if values.shape == (len(labels),) else None

    def _build_optimizer(self) -> None:
        optimizer = self._model.optimizer
        if isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
            optimizer._create_all_weights(self._model.trainable_variables)
        else:
            optimizer.build(self._model.trainable_variables)

    def _optimizer_variables(self) -> list[tf.Variable]:
        variables = self._model.optimizer.variables
        return list(variables() if callable(variables) else variables)

    def _as_accumulated(self, role: str, value: np.ndarray) -> np.ndarray:
        """Returns momentum as the sum of gradients, which TensorFlow 1 keeps. Keras keeps that sum
        times -learning rate."""
        if isinstance(self._model.optimizer, tf.keras.optimizers.SGD) and role == "momentums":
            return value / -self._rate.now()
        return value


def _is_slot_list(value, pairs) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == len(pairs)
        and all(
            isinstance(slot, tf.Variable) and slot.shape == variable.shape
            for slot, (_, variable) in zip(value, pairs)
        )
    )


def _like_outputs(labels: np.ndarray, outputs) -> tf.Tensor:
    """Returns labels as `compiled_loss` passes them on: a column where outputs have columns.

    Source: `match_dtype_and_rank` in keras/src/engine/compile_utils.py.
    """
    tensor = tf.constant(labels)
    if tensor.shape.rank == 1 and outputs.shape.rank == 2:
        return tensor[:, tf.newaxis]
    return tensor
