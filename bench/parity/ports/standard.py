"""The standard network, its gradients and its optimizers, in NumPy and float64.

It does not use TensorFlow, so it can show how much rounding each port's numbers carry. `Standard`
has the methods of `bench.parity.port.Port` that this needs. Sources: the layers are those of
`bench.task`; Adam is algorithm 1 of Kingma and Ba 2015, ICLR, in the form before section 2.1, with
TensorFlow's ε, which is added to the root of the uncorrected second moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bench.parity.inputs import part
from bench.parity.port import Activation, Loss, PortBatch, Slots, Weights
from bench.task import Task

BETA_1, BETA_2 = 0.9, 0.999

CHUNK = 4
"""Samples computed at a time: the windows of long samples take much memory."""


@dataclass
class Standard:
    """The network at float64 weights and the state of its optimizer. Names are those of
    `bench.task.initial_weights`."""

    task: Task
    _weights: Weights = field(default_factory=dict)
    _slots: Slots = field(default_factory=dict)
    _steps: int = 0

    def set_weights(self, weights: Weights) -> None:
        self._weights = {name: value.astype(np.float64) for name, value in weights.items()}
        roles = ("m", "v") if self.task.optimizer == "adam" else ()
        self._slots = {
            name: [(role, np.zeros_like(value)) for role in roles]
            for name, value in self._weights.items()
        }
        self._steps = 0

    def weights(self) -> Weights:
        return dict(self._weights)

    def forward(self, features: Weights, training: bool, draw: int) -> list[Activation]:
        """Returns every layer's output, the same in training mode."""
        return [
            Activation(layer.name, layer.operation, layer.output)
            for layer in self._layers(_signal(features))
        ]

    def loss(self, batch: PortBatch, training: bool, draw: int) -> Loss:
        per_sample = self._sample_losses(batch)
        return Loss(float(per_sample.mean()), per_sample, 0.0)

    def gradients(self, batch: PortBatch, draw: int) -> Weights:
        total = {name: np.zeros_like(value) for name, value in self._weights.items()}
        for some in _chunks(batch):
            layers = self._layers(_signal(some.features))
            _, gradient = cross_entropy(layers[-1].output, some.labels)
            gradient = gradient / len(batch)
            found: Weights = {}
            while layers:
                gradient = layers.pop().backward(gradient, found)
            for name, value in found.items():
                total[name] += value
        return total

    def step(self, batch: PortBatch, draw: int, rate_factor: float = 1.0) -> None:
        self._update(self.gradients(batch, draw), rate_factor)

    def apply(self, gradients: Weights, batch: PortBatch) -> bool:
        self._update({name: value.astype(np.float64) for name, value in gradients.items()}, 1.0)
        return True

    def slots(self) -> Slots:
        return self._slots

    def steps_counted(self) -> int:
        return self._steps

    def learning_rates(self, steps: list[int], batch: PortBatch) -> np.ndarray:
        return np.full(len(steps), self.task.learning_rate)

    def evaluate(self, batches: list[PortBatch]) -> dict[str, float]:
        losses = [self._sample_losses(batch) for batch in batches]
        return {"loss": float(np.concatenate(losses).mean())}

    def _sample_losses(self, batch: PortBatch) -> np.ndarray:
        return np.concatenate(
            [
                cross_entropy(self._layers(_signal(some.features))[-1].output, some.labels)[0]
                for some in _chunks(batch)
            ]
        )

    def _update(self, gradients: Weights, rate_factor: float) -> None:
        self._steps += 1
        rate = self.task.learning_rate * rate_factor
        for name, gradient in gradients.items():
            if self.task.optimizer == "sgd":
                self._weights[name] = self._weights[name] - rate * gradient
                continue
            (_, first), (_, second) = self._slots[name]
            first = BETA_1 * first + (1 - BETA_1) * gradient
            second = BETA_2 * second + (1 - BETA_2) * gradient**2
            corrected = rate * np.sqrt(1 - BETA_2**self._steps) / (1 - BETA_1**self._steps)
            self._weights[name] = self._weights[name] - corrected * first / (
                np.sqrt(second) + self.task.adam_epsilon
            )
            self._slots[name] = [("m", first), ("v", second)]

    def _layers(self, signal: np.ndarray) -> list[_Layer]:
        x = signal[:, :, np.newaxis]
        layers: list[_Layer] = []

        def add(layer: _Layer) -> np.ndarray:
            layers.append(layer)
            return layer.output

        for stage, stride in (("1", 4), ("2", 2)):
            x = add(
                _Conv(
                    f"conv{stage}/Conv2D",
                    x,
                    self._weights[f"conv{stage}/kernel"],
                    stride,
                    f"conv{stage}",
                )
            )
            x = add(
                _Bias(f"conv{stage}/BiasAdd", x, self._weights[f"conv{stage}/bias"], f"conv{stage}")
            )
            x = add(_Relu(f"conv{stage}/Relu", x))
            x = add(_Pool(f"pool{stage}/MaxPool", x))
        shape = x.shape
        x = x.reshape(len(x), -1)
        x = add(_Dense("dense1/MatMul", x, self._weights["dense1/kernel"], "dense1", shape))
        x = add(_Bias("dense1/BiasAdd", x, self._weights["dense1/bias"], "dense1"))
        x = add(_Relu("dense1/Relu", x))
        x = add(_Dense("dense2/MatMul", x, self._weights["dense2/kernel"], "dense2", x.shape))
        x = add(_Bias("dense2/BiasAdd", x, self._weights["dense2/bias"], "dense2"))
        if self.task.outputs == "activated":
            add(_Sigmoid("dense2/Sigmoid", x))
        return layers


def cross_entropy(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns softmax cross-entropy and its derivative.

    Args:
        outputs: [samples, classes], taken as logits.
        labels: whole numbers, [samples].

    Returns:
        The losses, [samples], and the derivative of each by its outputs, [samples, classes].
    """
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1)
    rows = np.arange(len(labels))
    gradient = exponentials / total[:, np.newaxis]
    gradient[rows, labels] -= 1
    return np.log(total) - shifted[rows, labels], gradient


class _Layer:
    """One operation, computed when it is made: `output` is [samples, ...]."""

    name: str
    operation: str
    output: np.ndarray

    def backward(self, gradient: np.ndarray, found: Weights) -> np.ndarray:
        """Returns the derivative by the input, given that by the output. Adds the derivatives by
        the layer's variables to `found`, by name."""
        raise NotImplementedError


class _Conv(_Layer):
    operation = "Conv2D"

    def __init__(self, name, x, kernel, stride, variable):
        self.name, self._variable = name, f"{variable}/kernel"
        self._kernel, self._stride, self._length = kernel, stride, x.shape[1]
        self._columns, self._left = windows(x, len(kernel), stride, 0.0)
        self.output = np.tensordot(self._columns, kernel, axes=([3, 2], [0, 1]))

    def backward(self, gradient, found):
        found[self._variable] = np.tensordot(
            self._columns, gradient, axes=([0, 1], [0, 1])
        ).transpose(1, 0, 2)
        steps = np.tensordot(
            gradient, self._kernel, axes=([2], [2])
        )  # [samples, positions, kernel, channels]
        return _fold(steps, self._length, self._stride, self._left)


class _Pool(_Layer):
    operation = "MaxPool"

    def __init__(self, name, x):
        self.name, self._length = name, x.shape[1]
        columns, self._left = windows(x, 4, 4, -np.inf)
        self._largest = columns.argmax(axis=3)[..., np.newaxis]
        self.output = np.take_along_axis(columns, self._largest, axis=3)[..., 0]

    def backward(self, gradient, found):
        steps = np.zeros((*gradient.shape, 4))
        np.put_along_axis(steps, self._largest, gradient[..., np.newaxis], axis=3)
        return _fold(steps.transpose(0, 1, 3, 2), self._length, 4, self._left)


class _Dense(_Layer):
    operation = "MatMul"

    def __init__(self, name, x, kernel, variable, shape):
        self.name, self._variable = name, f"{variable}/kernel"
        self._x, self._kernel, self._shape = x, kernel, shape
        self.output = x @ kernel

    def backward(self, gradient, found):
        found[self._variable] = self._x.T @ gradient
        return (gradient @ self._kernel.T).reshape(self._shape)


class _Bias(_Layer):
    operation = "BiasAdd"

    def __init__(self, name, x, bias, variable):
        self.name, self._variable = name, f"{variable}/bias"
        self.output = x + bias

    def backward(self, gradient, found):
        found[self._variable] = gradient.sum(axis=tuple(range(gradient.ndim - 1)))
        return gradient


class _Relu(_Layer):
    operation = "Relu"

    def __init__(self, name, x):
        self.name = name
        self.output = np.maximum(x, 0)

    def backward(self, gradient, found):
        return gradient * (self.output > 0)


class _Sigmoid(_Layer):
    operation = "Sigmoid"

    def __init__(self, name, x):
        self.name = name
        self.output = 1 / (1 + np.exp(-np.clip(x, -700, None)))

    def backward(self, gradient, found):
        return gradient * self.output * (1 - self.output)


def windows(x: np.ndarray, size: int, stride: int, fill: float) -> tuple[np.ndarray, int]:
    """Cuts windows as TensorFlow does with "same" padding.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn, notes on padding.

    Args:
        x: [samples, length, channels].
        size: length of a window.
        stride: distance from one window to the next.
        fill: value of the padding.

    Returns:
        The windows, [samples, positions, channels, size], and the length of the padding on the
        left.
    """
    length = x.shape[1]
    positions = -(-length // stride)
    padding = max((positions - 1) * stride + size - length, 0)
    left = padding // 2
    padded = np.pad(x, ((0, 0), (left, padding - left), (0, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::stride][
        :, :positions
    ], left


def _fold(steps: np.ndarray, length: int, stride: int, left: int) -> np.ndarray:
    """Adds windows, [samples, positions, size, channels], to the places that they were cut from,
    [samples, length, channels]."""
    samples, positions, size, channels = steps.shape
    padded = np.zeros((samples, (positions - 1) * stride + size + length, channels))
    for offset in range(size):
        padded[:, offset : offset + positions * stride : stride][:, :positions] += steps[
            :, :, offset
        ]
    return padded[:, left : left + length]


def _chunks(batch: PortBatch) -> list[PortBatch]:
    """Splits a batch into parts of `CHUNK` samples."""
    return [part(batch, start, start + CHUNK) for start in range(0, len(batch), CHUNK)]


def _signal(features: Weights) -> np.ndarray:
    return next(iter(features.values())).astype(np.float64)
