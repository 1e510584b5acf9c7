"""The records of a training that was watched: plain data for the rules to judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.parity.port import Received


@dataclass(frozen=True)
class Snapshot:
    """The network after `step` steps, measured on a fixed batch.

    Attributes:
        step: number of training steps done.
        weight_norms: norm of every trainable variable.
        gradient_norms: norm of every trainable variable's gradient.
        dead: for every ReLU, the share of its units that are 0 for all samples.
        outputs: outputs of the network, [samples, columns].
    """

    step: int
    weight_norms: dict[str, float]
    gradient_norms: dict[str, float]
    dead: dict[str, float]
    outputs: np.ndarray

    @property
    def gradient_norm(self) -> float:
        """Norm of the gradient over all variables."""
        return float(np.sqrt(sum(norm**2 for norm in self.gradient_norms.values())))

    @property
    def saturated(self) -> float:
        """Share of the outputs that are 0 or 1 to float32's last place."""
        eps = np.finfo(np.float32).eps
        return float(np.mean((np.abs(self.outputs) < eps) | (np.abs(self.outputs - 1) < eps)))


@dataclass(frozen=True)
class KernelHistory:
    """The initial values of a variable, and how far training moved it.

    Attributes:
        name: name of the variable.
        shape: its shape.
        trainable: whether gradients train it.
        deviation: standard deviation of its initial values.
        constant: whether its initial values are all equal.
        moved: largest change of a value over the training, relative to the largest initial value.
        step: norm of the first step's change, relative to the norm of the initial values.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    deviation: float
    constant: bool
    moved: float
    step: float

    @property
    def he_deviation(self) -> float:
        """Standard deviation of He's initialiser: sqrt(2 / inputs of a unit).

        He et al. 2015, ICCV, equation 10.
        """
        return float(np.sqrt(2 / np.prod(self.shape[:-1])))


@dataclass(frozen=True)
class ContractData:
    """What a port of the contract received for its training: its data and its initial weights.

    Attributes:
        samples: number of training samples.
        evaluation_samples: number of evaluation samples.
        batch_size: samples per batch.
        heads: first values of the first samples of the file, [samples, values].
        order: digests of these samples, in the order of the file.
        kernels: for every initial kernel, whether the training began with it.
    """

    samples: int
    evaluation_samples: int
    batch_size: int
    heads: np.ndarray
    order: list[str]
    kernels: dict[str, bool]


@dataclass(frozen=True)
class TrainingRecord:
    """One training, as it was watched.

    Attributes:
        losses: losses of its steps as it reported them, [steps].
        received: the samples that its steps received.
        snapshots: snapshots of its network, the last after the last step.
        kernels: histories of its variables.
        outputs: outputs at the end of the training, [samples, columns]; None if not known.
        labels: labels of these outputs, [samples, ...]; None if not known.
        contract: what the contract gave to the port; None for ports with data of their own.
        evaluated: loss of the last evaluation: as reported, as computed for the features of the
            file, and as computed for features scaled like those it trained on.
        fixed_order: whether the order of the samples is ours, not the port's.
        evaluation_known: whether the evaluation mode of the network is known.
        takes: what the loss takes: `logits`, `probabilities`, `values`, or "" if not known.
        activation: the operation whose output the loss takes.
    """

    losses: np.ndarray
    received: Received
    snapshots: list[Snapshot]
    kernels: list[KernelHistory]
    outputs: np.ndarray | None
    labels: np.ndarray | None
    contract: ContractData | None = None
    evaluated: tuple[float, float, float] | None = None
    fixed_order: bool = False
    evaluation_known: bool = True
    takes: str = ""
    activation: str = ""

    @property
    def targets(self) -> np.ndarray:
        """Labels of the outputs, or, if they are not known, the labels received."""
        return self.received.labels if self.labels is None else self.labels

    @property
    def regression(self) -> bool:
        """Whether the labels are values to be approached.

        They are if they are not whole numbers, or if a single output has more than two of them.
        """
        targets = self.targets.reshape(len(self.targets), -1)
        if not np.all(targets == np.round(targets)):
            return True
        one_output = self.outputs is not None and self.outputs.shape[1] == 1
        return one_output and self.takes == "values" and len(np.unique(targets)) > 2

    @property
    def entropy(self) -> float | None:
        """Entropy of the labels received, in nats: the loss of predicting the classes' shares.

        It is ln K for K balanced classes, and None if the labels are not classes.
        """
        classes = _classes(self.received.labels)
        if classes is None or self.regression:
            return None
        shares = np.unique(classes, return_counts=True)[1] / len(classes)
        return float(-(shares * np.log(shares)).sum())

    @property
    def last_losses(self) -> np.ndarray:
        """Losses of the last tenth of the steps, of at least 5."""
        return self.losses[-max(5, len(self.losses) // 10) :]

    @property
    def accuracy(self) -> float | None:
        """Share of samples whose class is predicted by the final outputs.

        Several columns predict the class of the largest; one column is compared with 0 if it is a
        logit, else with the middle between both labels. The accuracy is None for a regression, for
        labels with several classes per sample, and if the outputs are not known.
        """
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
        """Accuracy of always predicting the most frequent class."""
        classes = _classes(self.targets)
        return (
            float(np.unique(classes, return_counts=True)[1].max() / len(classes))
            if classes is not None
            else 0.0
        )

    @property
    def gained(self) -> float | None:
        """Share of what can be gained over a constant prediction that the training gained.

        The gain is one of accuracy, or, in a regression, of explained variance.
        """
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
    """Returns the class of every sample, from whole numbers or one-hot rows.

    None means that a sample can have several classes.
    """
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] == 1:
        return flat[:, 0]
    return flat.argmax(axis=1) if np.all(flat.sum(axis=1) == 1) and flat.min() >= 0 else None
