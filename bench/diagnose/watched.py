"""What is known of one training after it was watched: plain records, for rules to judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.parity.port import Received


@dataclass(frozen=True)
class Look:
    """The network after `step` steps, on a fixed batch: norms of every trainable variable and of its gradient; the share of
    dead units of every ReLU, those that no sample gets through; and the outputs, [samples, columns]."""

    step: int
    weight_norms: dict[str, float]
    gradient_norms: dict[str, float]
    dead: dict[str, float]
    outputs: np.ndarray

    @property
    def gradient_norm(self) -> float:
        """Over all variables."""
        return float(np.sqrt(sum(norm ** 2 for norm in self.gradient_norms.values())))

    @property
    def saturated(self) -> float:
        """The share of outputs that are 0 or 1 to float32's last place."""
        eps = np.finfo(np.float32).eps
        return float(np.mean((np.abs(self.outputs) < eps) | (np.abs(self.outputs - 1) < eps)))


@dataclass(frozen=True)
class Kernel:
    """A variable's beginning, and how far it got: `deviation` and `constant` of its initial values; `moved` is the largest change
    of any of its values over the run, relative to the largest of them; `step` that of the first step as norms."""

    name: str
    shape: tuple[int, ...]
    trainable: bool
    deviation: float
    constant: bool
    moved: float
    step: float

    @property
    def he_deviation(self) -> float:
        """He et al. 2015, ICCV, equation 10: the root of 2 over the inputs of a unit."""
        return float(np.sqrt(2 / np.prod(self.shape[:-1])))


@dataclass(frozen=True)
class Given:
    """What a training was given: number of training samples and batch size; the first values of the file's first samples
    ([samples, values]) and their digests, in the file's order; the names of initial kernels, and whether it began with them."""

    samples: int
    batch_size: int
    heads: np.ndarray
    order: list[str]
    kernels: dict[str, bool]


@dataclass(frozen=True)
class Watched:
    """One training: losses of its steps as it reported them, what it received, looks at its network, and at the end its outputs
    [samples, columns] for `labels` [samples]; `given` is None where it brought its own data. `evaluated` is the loss of its last
    evaluation as it was reported, as it is for the features of the file, and as it is for those scaled like the ones it
    trained on."""

    losses: np.ndarray
    received: Received
    looks: list[Look]
    kernels: list[Kernel]
    outputs: np.ndarray | None
    labels: np.ndarray | None
    given: Given | None = None
    evaluated: tuple[float, float, float] | None = None
    in_order: bool = False
    """Whether the order of its samples is not its own."""

    @property
    def entropy(self) -> float:
        """Of the labels received, in nats: the loss of predicting their shares. ln K for K balanced classes."""
        labels = self.received.labels
        if labels.ndim > 1 and labels.shape[1] > 1:
            labels = labels.argmax(axis=1)
        shares = np.unique(labels.ravel(), return_counts=True)[1] / labels.size
        return float(-(shares * np.log(shares)).sum())

    @property
    def last_losses(self) -> np.ndarray:
        """Of the last tenth of the steps, 5 at least."""
        return self.losses[-max(5, len(self.losses) // 10):]

    @property
    def accuracy(self) -> float | None:
        """Of the final outputs: the share of samples whose label has the largest, or, of one column, is on its side of 0."""
        if self.outputs is None or self.labels is None or not np.isfinite(self.outputs).all():
            return None
        outputs, labels = self.outputs, self.labels.reshape(len(self.labels), -1)
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
        return float(np.mean((outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs[:, 0] > 0) == labels))

    @property
    def chance(self) -> float:
        """The accuracy of always predicting the most frequent class."""
        labels = self.received.labels if self.labels is None else self.labels
        flat = labels.argmax(axis=1) if labels.ndim > 1 and labels.shape[1] > 1 else labels.ravel()
        return float(np.unique(flat, return_counts=True)[1].max() / len(flat))
