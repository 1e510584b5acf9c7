"""What every source of samples offers, and the two datasets asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

FREQUENCY = 360
"""Samples per second of every signal."""

COUNTS_PER_MV = 200
"""Scale of every signal. It is part of the case: in mV the large dataset does not saturate."""


@dataclass(frozen=True)
class Spec:
    """A dataset to be made: values a sample, and at most how many samples for training and evaluation."""

    name: str
    length: int
    train: int
    evaluation: int


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
    """`signal` int16 [samples, length] in counts; `labels` int64 [samples], 1 = with premature ventricular beats."""

    signal: np.ndarray
    labels: np.ndarray


class Source(Protocol):
    """Draws the samples of a dataset, the same for the same recipe."""

    name: str

    def recipe(self, spec: Spec) -> dict:
        """All that decides what `draw` returns, as JSON values."""

    def draw(self, spec: Spec) -> tuple[Samples, Samples]:
        """Training and evaluation samples, balanced, in random order."""


def shuffled(signal: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> Samples:
    """Samples in random order, checked for the range of int16."""
    order = generator.permutation(len(labels))
    limits = np.iinfo(np.int16)
    return Samples(np.clip(signal, limits.min, limits.max).astype(np.int16)[order], labels.astype(np.int64)[order])
