"""What every source of samples offers, and the two datasets asked of it."""

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
"""Of one file: large enough to be read at the disk's speed, small enough to be drawn in memory."""


@dataclass(frozen=True)
class Spec:
    """A dataset to be made: values a sample, of type int16 or float32, and how many samples for training and evaluation."""

    name: str
    length: int
    train: int
    evaluation: int
    classes: int = 2
    values: str = "int16"
    shard_bytes: int = SHARD_BYTES

    @property
    def row_bytes(self) -> int:
        """Of one sample's values on disk."""
        return self.length * np.dtype(self.values).itemsize

    @property
    def shard_samples(self) -> int:
        """Samples in a whole shard."""
        return max(1, self.shard_bytes // self.row_bytes)

    @property
    def size(self) -> str:
        """Which of `DATASETS` it is more like: for how long to train and to measure."""
        return "small" if self.length < LONG else "large"


LONG = 10_000
"""Values a sample."""

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
    """`signal` int16 or float32 [samples, length], of ours in counts; `labels` int64 [samples], of ours 1 = with premature
    ventricular beats."""

    signal: np.ndarray
    labels: np.ndarray


class Source(Protocol):
    """Draws the samples of a dataset, the same for the same fingerprint."""

    @property
    def name(self) -> str:
        """Where the samples come from, in words."""

    def fingerprint(self, spec: Spec) -> dict:
        """All that decides what `draw` returns, as JSON values."""

    def sizes(self, spec: Spec) -> dict[str, int]:
        """How many samples there are of each split: as many as the spec asks for, or as there can be.

        Raises:
            UserError: the samples cannot be drawn; the message says why.
        """

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        """Samples `start` to `stop` of a split, which is in random order: one shard, in a process of its own."""


def at_most(spec: Spec, limit: Spec) -> Spec:
    """A dataset of no more samples than another."""
    return replace(
        spec, train=min(spec.train, limit.train), evaluation=min(spec.evaluation, limit.evaluation)
    )


def shuffled(signal: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> Samples:
    """Samples in random order, checked for the range of int16."""
    order = generator.permutation(len(labels))
    return Samples(as_counts(signal)[order], labels.astype(np.int64)[order])


def as_counts(signal: np.ndarray) -> np.ndarray:
    """int16, clipped to its range."""
    limits = np.iinfo(np.int16)
    return np.clip(signal, limits.min, limits.max).astype(np.int16)
