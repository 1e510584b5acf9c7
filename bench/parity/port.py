"""A port under comparison, as every adapter shows it, and what it shows.

An adapter runs in the port's own process; what it returns are NumPy arrays and the plain records below. Arrays keep the
port's own layout and dtype.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class PortBatch:
    """`features` by name, each [samples, ...]; `labels` [samples, ...]."""

    features: Weights
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Variable:
    """One variable of the network. `layout` is the permutation of its axes after which its operation uses it:
    (1, 0) for a dense kernel that is stored transposed."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    layout: tuple[int, ...]

    @property
    def used_shape(self) -> tuple[int, ...]:
        """The shape in which its operation uses it, without axes of length 1."""
        return tuple(size for size in (self.shape[axis] for axis in self.layout) if size != 1)


@dataclass(frozen=True)
class Activation:
    """The output of one operation between features and outputs: `operation` is its kind, `value` [samples, ...]."""

    name: str
    operation: str
    value: np.ndarray


@dataclass(frozen=True)
class Loss:
    """`value` as it is minimised; `per_sample` [samples], those of the outputs as the port predicts them, if it shows them,
    or None; `regularisation` is what the port collects of it, part of `value` if it is added."""

    value: float
    per_sample: np.ndarray | None
    regularisation: float


@dataclass(frozen=True)
class Optimizer:
    """`name` of the update rule; `fused` if one TensorFlow kernel computes it: those of Adam take 1-β₂ in float32."""

    name: str
    fused: bool


@dataclass(frozen=True)
class Curve:
    """Losses and global gradient norms of consecutive training steps, float64 [steps]; the norm is that of the batch
    which the step was about to train on."""

    losses: np.ndarray
    gradient_norms: np.ndarray


@dataclass(frozen=True)
class Received:
    """What the training steps received, over all epochs: `digests` of each sample's bytes, `labels` and the first
    values (`heads`, [samples, values]) in the order of arrival; `sizes` of the batches; `losses` as the port reports them
    of its steps; `evaluations`, one dict an epoch, with the weights held where they began."""

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
    """What a port declares of its input: for every feature its shape without samples, its dtype and, for whole numbers,
    the first value that is out of range; and how its labels look: `classes`, `one-hot`, `binary` or `values`."""

    features: dict[str, tuple[tuple[int, ...], str, int | None]]
    labels: str
    outputs: tuple[int, ...]


class Port(Protocol):
    """What can be asked of a port. `draw` names the common random numbers that dropout and the like are given."""

    weights_given: bool
    """Whether the initial weights come from the task, and so must be equal."""

    def variables(self) -> list[Variable]:
        """All variables of the network: trainable ones and moving statistics, without the optimizer's."""

    def initial_weights(self, draws: int) -> list[Weights]:
        """What the port's own initialisers draw, up to `draws` times."""

    def set_weights(self, weights: Weights) -> None:
        """Sets all variables, and the optimizer back to its beginning."""

    def weights(self) -> Weights:
        """The variables' values now."""

    def forward(self, features: Weights, training: bool, draw: int) -> list[Activation]:
        """Every activation between features and outputs, in the order of computation."""

    def loss(self, batch: PortBatch, training: bool, draw: int) -> Loss:
        """The loss of a batch."""

    def gradients(self, batch: PortBatch, draw: int) -> dict[str, np.ndarray | None]:
        """The derivative of the loss in training mode; None for a variable that the loss does not depend on."""

    def optimizer(self) -> Optimizer | None:
        """None if the update cannot be seen as one of TensorFlow's optimizers."""

    def step(self, batch: PortBatch, draw: int, rate_factor: float = 1.0) -> float:
        """One training step, as the port makes it, with its learning rate times `rate_factor`; the batch's loss."""

    def apply(self, gradients: Weights, batch: PortBatch) -> bool:
        """One update by given gradients, in a step on `batch` where the port can make no other; False if its gradients
        cannot be replaced."""

    def slots(self) -> dict[str, list[tuple[str, np.ndarray]]]:
        """The optimizer's state for every variable; momentum as the sum of gradients."""

    def steps_counted(self) -> int | None:
        """The number of steps done as the port counts them, for its schedule; None if it does not."""

    def learning_rates(self, steps: list[int], batch: PortBatch) -> np.ndarray | None:
        """The learning rate at given numbers of steps done, float32; None if it cannot be seen. To be followed by
        `set_weights`."""

    def curve(self, batches: list[PortBatch], steps: int) -> Curve:
        """Trains for `steps` steps over the batches, again and again from the first."""

    def evaluate(self, batches: list[PortBatch]) -> dict[str, float]:
        """The port's own evaluation: `loss`, and its metrics by name."""


def train_curve(port: Port, batches: list[PortBatch], steps: int) -> Curve:
    """`Port.curve` for adapters that have no faster way."""
    losses, norms = [], []
    for step in range(steps):
        batch = batches[step % len(batches)]
        norms.append(global_norm(port.gradients(batch, step)))
        losses.append(port.step(batch, step))
    return Curve(np.array(losses), np.array(norms))


def global_norm(gradients: dict[str, np.ndarray | None]) -> float:
    """The root of the sum of squares over all variables, summed in float64 in the order of the variables."""
    squares = (
        np.sum(np.square(value, dtype=np.float64))
        for value in gradients.values()
        if value is not None
    )
    return float(np.sqrt(sum(squares)))
