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
        return float(np.sqrt(sum(norm**2 for norm in self.gradient_norms.values())))

    @property
    def saturated(self) -> float:
        """The share of outputs that are 0 or 1 to float32's last place."""
        eps = np.finfo(np.float32).eps
        return float(np.mean((np.abs(self.outputs) < eps) | (np.abs(self.outputs - 1) < eps)))


@dataclass(frozen=True)
class KernelHistory:
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
class GivenData:
    """What a training was given: number of training and of evaluation samples, and batch size; the first values of the file's
    first samples ([samples, values]) and their digests, in the file's order; the names of initial kernels, and whether it
    began with them."""

    samples: int
    evaluation_samples: int
    batch_size: int
    heads: np.ndarray
    order: list[str]
    kernels: dict[str, bool]


@dataclass(frozen=True)
class TrainingRecord:
    """One training: losses of its steps as it reported them, what it received, looks at its network, and at the end its outputs
    [samples, columns] for `labels` [samples]; `given` is None where it brought its own data. `evaluated` is the loss of its last
    evaluation as it was reported, as it is for the features of the file, and as it is for those scaled like the ones it
    trained on."""

    losses: np.ndarray
    received: Received
    looks: list[Look]
    kernels: list[KernelHistory]
    outputs: np.ndarray | None
    labels: np.ndarray | None
    given: GivenData | None = None
    evaluated: tuple[float, float, float] | None = None
    in_order: bool = False
    """Whether the order of its samples is not its own."""
    evaluates: bool = True
    """Whether it is known how it evaluates."""
    takes: str = ""
    """What its loss takes: `logits`, `probabilities` or `values`, or nothing where that is not known."""
    activation: str = ""
    """The operation that makes what its loss takes."""

    @property
    def targets(self) -> np.ndarray:
        """The labels its outputs are for, or else those received."""
        return self.received.labels if self.labels is None else self.labels

    @property
    def regression(self) -> bool:
        """Whether labels are values to be approached: not whole numbers, or more than two of them for one output."""
        targets = self.targets.reshape(len(self.targets), -1)
        if not np.all(targets == np.round(targets)):
            return True
        one_output = self.outputs is not None and self.outputs.shape[1] == 1
        return one_output and self.takes == "values" and len(np.unique(targets)) > 2

    @property
    def entropy(self) -> float | None:
        """Of the labels received, in nats: the loss of predicting their shares. ln K for K balanced classes; None where they are
        not classes."""
        classes = _classes(self.received.labels)
        if classes is None or self.regression:
            return None
        shares = np.unique(classes, return_counts=True)[1] / len(classes)
        return float(-(shares * np.log(shares)).sum())

    @property
    def last_losses(self) -> np.ndarray:
        """Of the last tenth of the steps, 5 at least."""
        return self.losses[-max(5, len(self.losses) // 10) :]

    @property
    def accuracy(self) -> float | None:
        """Of the final outputs: the share of samples whose label has the largest, or, of one column, is on its side of 0 (of
        logits) or of the middle between both labels. None for a regression, for labels of several classes at once, and
        where outputs are not known."""
        classes = _classes(self.targets)
        if (
            self.outputs is None
            or not np.isfinite(self.outputs).all()
            or self.regression
            or classes is None
        ):
            return None
        if self.outputs.shape[1] > 1:
            return float(np.mean(self.outputs.argmax(axis=1) == classes))
        logits = self.takes == "logits" and self.activation != "Sigmoid"
        threshold = 0.0 if logits else (classes.min() + classes.max()) / 2
        return float(np.mean((self.outputs[:, 0] > threshold) == (classes > classes.min())))

    @property
    def chance(self) -> float:
        """The accuracy of always predicting the most frequent class."""
        classes = _classes(self.targets)
        return (
            float(np.unique(classes, return_counts=True)[1].max() / len(classes))
            if classes is not None
            else 0.0
        )

    @property
    def gained(self) -> float | None:
        """Of what can be gained over a constant prediction, the share that was: of accuracy, or, in a regression, of variance."""
        if not self.regression:
            return (
                None
                if self.accuracy is None
                else (self.accuracy - self.chance) / max(1 - self.chance, 1e-9)
            )
        targets = self.targets.reshape(len(self.targets), -1).astype(np.float64)
        if (
            self.outputs is None
            or self.outputs.shape != targets.shape
            or not np.isfinite(self.outputs).all()
        ):
            return None
        return float(
            1 - np.mean((self.outputs - targets) ** 2) / max(targets.var(axis=0).mean(), 1e-30)
        )


def _classes(labels: np.ndarray) -> np.ndarray | None:
    """The class of every sample, from whole numbers or one-hot rows; None where a sample can have several."""
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] == 1:
        return flat[:, 0]
    return flat.argmax(axis=1) if np.all(flat.sum(axis=1) == 1) and flat.min() >= 0 else None
