"""What can be asked of a port, whatever API it uses, and the records in which it answers.

There is one adapter per API. It runs in the port's own process, and returns NumPy arrays and the
records below. Arrays keep the port's own layout and dtype.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Protocol

import numpy as np

Weights = dict[str, np.ndarray]
"""Arrays by the name of a variable, or of a feature."""

Gradients = dict[str, Optional[np.ndarray]]
"""The derivative of the loss by each variable; None where the loss does not depend on it."""

Slots = dict[str, list[tuple[str, np.ndarray]]]
"""The optimizer's state for each variable: (role, array)."""


@dataclass(frozen=True)
class PortBatch:
    """Some samples: `features` by name, each [samples, ...], and `labels` [samples, ...]."""

    features: Weights
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Variable:
    """One variable of the network.

    `layout` is the permutation of its axes after which its operation uses it: (1, 0) for a dense
    kernel that is stored transposed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    layout: tuple[int, ...]

    @property
    def used_shape(self) -> tuple[int, ...]:
        """The shape in which its operation uses the variable, without axes of length 1."""
        return tuple(size for size in (self.shape[axis] for axis in self.layout) if size != 1)


@dataclass(frozen=True)
class Activation:
    """The result of one operation of the network, `value` [samples, ...].

    `operation` is its kind, as TensorFlow calls it, such as `MatMul`.
    """

    name: str
    operation: str
    value: np.ndarray


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    `value` is what the training minimises. `per_sample`, [samples], are the losses of the outputs
    that the port predicts; None if the port does not show them. `regularisation` is what the port
    collects as such; it is part of `value` only where the port adds it.
    """

    value: float
    per_sample: np.ndarray | None
    regularisation: float


@dataclass(frozen=True)
class Optimizer:
    """The `name` of the update rule.

    `fused` says whether a single TensorFlow kernel computes it. That of Adam computes 1-β₂ in
    float32.
    """

    name: str
    fused: bool


@dataclass(frozen=True)
class Curve:
    """Losses and global gradient norms of consecutive training steps, float64 [steps]. The norm is
    that of the step's batch, before the step."""

    losses: np.ndarray
    gradient_norms: np.ndarray


@dataclass(frozen=True)
class Received:
    """What the training steps of all epochs received, in this order.

    `digests` are hashes of each sample's bytes. `heads`, [samples, values], are each sample's first
    values. `sizes` are those of the batches. `losses` and `evaluations` are what the port reports:
    of every step, and of every epoch by name. The weights do not change meanwhile.
    """

    digests: list[str]
    labels: np.ndarray
    heads: np.ndarray
    sizes: list[int]
    feature_dtype: str
    label_dtype: str
    losses: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class InputSpec:
    """What a port declares of its input.

    `features` has each feature's shape without samples, its dtype and, for whole numbers, the
    smallest value above their range. `labels` is their kind: `classes`, `one-hot`, `binary` or
    `values`. `outputs` is the shape of the outputs without samples.
    """

    features: dict[str, tuple[tuple[int, ...], str, int | None]]
    labels: str
    outputs: tuple[int, ...]


class Port(Protocol):
    """What can be asked of a port.

    Random operations such as dropout are given numbers that are common to all ports; `draw` chooses
    among them.
    """

    weights_given: bool
    """Whether a task gives the initial weights. Those of two such ports must be equal."""

    def variables(self) -> list[Variable]:
        """Returns all variables of the network: trainable ones and moving statistics, without the
        optimizer's."""

    def initial_weights(self, draws: int) -> list[Weights]:
        """Returns what the port's own initialisers draw, each time anew, up to `draws` times."""

    def set_weights(self, weights: Weights) -> None:
        """Sets all variables, and resets the optimizer."""

    def weights(self) -> Weights:
        """Returns the current values of all variables."""

    def forward(self, features: Weights, training: bool, draw: int) -> list[Activation]:
        """Returns every activation from features to outputs, in the order of computation."""

    def loss(self, batch: PortBatch, training: bool, draw: int) -> Loss:
        """Returns the loss of a batch."""

    def gradients(self, batch: PortBatch, draw: int) -> Gradients:
        """Returns the derivatives of the loss in training mode."""

    def optimizer(self) -> Optimizer | None:
        """Returns the optimizer; None if the update is none of TensorFlow's."""

    def step(self, batch: PortBatch, draw: int, rate_factor: float = 1.0) -> float:
        """Makes one training step with the learning rate times `rate_factor`; returns the loss."""

    def apply(self, gradients: Weights, batch: PortBatch) -> bool:
        """Updates the weights once by given gradients.

        `batch` is for ports whose update is part of a step. Returns False if the port's gradients
        cannot be replaced.
        """

    def slots(self) -> Slots:
        """Returns the optimizer's state for every variable. Momentum is the sum of gradients."""

    def steps_counted(self) -> int | None:
        """Returns the steps that the port has counted for its schedule; None if it counts none."""

    def learning_rates(self, steps: list[int], batch: PortBatch) -> np.ndarray | None:
        """Returns the learning rate after given numbers of steps, float32; None if it is not seen.

        Call `set_weights` after it.
        """

    def curve(self, batches: list[PortBatch], steps: int) -> Curve:
        """Trains for `steps` steps over the batches, which are repeated."""

    def evaluate(self, batches: list[PortBatch]) -> dict[str, float]:
        """Returns the port's own evaluation: `loss`, and its metrics by name."""


def train_curve(port: Port, batches: list[PortBatch], steps: int) -> Curve:
    """Trains as `Port.curve` does, one step after the other."""
    losses, norms = [], []
    for step in range(steps):
        batch = batches[step % len(batches)]
        norms.append(global_norm(port.gradients(batch, step)))
        losses.append(port.step(batch, step))
    return Curve(np.array(losses), np.array(norms))


def global_norm(gradients: Gradients) -> float:
    """Returns the root of the sum of squares over all variables, in float64."""
    squares = (
        np.sum(np.square(value, dtype=np.float64))
        for value in gradients.values()
        if value is not None
    )
    return float(np.sqrt(sum(squares)))
