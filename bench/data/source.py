"""What every source of samples offers, and the two datasets that are made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

FREQUENCY = 360
"""Samples per second of every signal."""

COUNTS_PER_MV = 200
"""Scale of every signal. It is part of the case: in mV the large dataset does not saturate."""

SPLITS = ("train", "evaluation")

SHARD_BYTES = 2**27
"""Largest size of a file: it is read at the disk's speed, and its samples fit into memory."""


@dataclass(frozen=True)
class Spec:
    """A dataset to be made.

    Attributes:
        name: its name.
        length: the number of values in a sample.
        train, evaluation: the number of samples of each split.
        classes: the number of classes.
        values: the type of the values on disk, int16 or float32.
        shard_bytes: the largest size of a file.
    """

    name: str
    length: int
    train: int
    evaluation: int
    classes: int = 2
    values: str = "int16"
    shard_bytes: int = SHARD_BYTES

    @property
    def row_bytes(self) -> int:
        """Size of one sample's values on disk."""
        return self.length * np.dtype(self.values).itemsize

    @property
    def shard_samples(self) -> int:
        """Number of samples in a full shard."""
        return max(1, self.shard_bytes // self.row_bytes)

    @property
    def size(self) -> str:
        """Which of `DATASETS` it resembles: this decides how long to train and to measure."""
        return "small" if self.length < LONG else "large"


LONG = 10_000
"""Number of values from which on a sample counts as `large`."""

DATASETS = {
    "small": Spec("small", length=130, train=4000, evaluation=1000),
    "large": Spec("large", length=60_000, train=400, evaluation=100),
}
EPOCHS = {"small": 4, "large": 6}
QUICK_DATASETS = {
    "small": Spec("small", length=130, train=320, evaluation=100),
    "large": Spec("large", length=60_000, train=64, evaluation=36),
}
QUICK_EPOCHS = {"small": 3, "large": 3}


@dataclass(frozen=True)
class Samples:
    """Samples and their labels.

    Attributes:
        signal: int16 or float32 [samples, length]; that of an ECG is in counts.
        labels: int64 [samples]; for an ECG, 1 = with premature ventricular beats.
    """

    signal: np.ndarray
    labels: np.ndarray


class Source(Protocol):
    """Draws the samples of a dataset, the same samples for the same parameters."""

    @property
    def name(self) -> str:
        """Where the samples come from, in words."""

    def dataset_parameters(self, spec: Spec) -> dict:
        """Returns all that decides what `draw` returns, as JSON values.

        Their hash is part of the name under which the dataset is cached.
        """

    def sizes(self, spec: Spec) -> dict[str, int]:
        """Returns the number of samples of each split: what the spec asks for, or what there is.

        Raises:
            UserError: the samples cannot be drawn; the message says why.
        """

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        """Returns samples `start` to `stop` of a split, which is in random order.

        They are one shard. Every shard is drawn in a process of its own.
        """


def at_most(spec: Spec, limit: Spec) -> Spec:
    """Returns `spec` with at most as many samples in each split as `limit` has."""
    return replace(
        spec, train=min(spec.train, limit.train), evaluation=min(spec.evaluation, limit.evaluation)
    )


def shuffled(signal: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> Samples:
    """Returns samples in random order, as int16 counts."""
    order = generator.permutation(len(labels))
    return Samples(as_counts(signal)[order], labels.astype(np.int64)[order])


def as_counts(signal: np.ndarray) -> np.ndarray:
    """Returns a signal as int16, clipped to the range of that type."""
    limits = np.iinfo(np.int16)
    return np.clip(signal, limits.min, limits.max).astype(np.int16)
