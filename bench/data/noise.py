"""Datasets of noise, of any length: for sweeps, which measure time and learn nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.data.shards import write_tfrecords
from bench.data.source import Samples
from bench.task import Batch, Dataset, Split

AMPLITUDE = 200
"""Largest value in counts: 1 mV, as in an ECG."""


def noise_dataset(name: str, length: int, samples: int, batch_size: int, folder: Path) -> Dataset:
    """Writes a dataset of noise to `folder`, which is not the cache.

    It has `samples` samples of `length` values for training, and one batch for evaluation. Needs
    TensorFlow.
    """
    generator = np.random.default_rng(length)

    def split(count: int) -> Samples:
        signal = generator.integers(-AMPLITUDE, AMPLITUDE, (count, length), dtype=np.int16)
        return Samples(signal, np.arange(count) % 2)

    train, evaluation = split(samples), split(batch_size)
    for part, drawn in (("train", train), ("evaluation", evaluation)):
        write_tfrecords(folder / f"{name}-{part}.tfrecord", drawn)
    return Dataset(
        name,
        length,
        2,
        "int16",
        f"noise-{length}-{samples}",
        Split([str(folder / f"{name}-train.tfrecord")], samples),
        Split([str(folder / f"{name}-evaluation.tfrecord")], batch_size),
        evaluation.labels,
        Batch(train.signal[:batch_size].astype(np.float32), train.labels[:batch_size]),
    )
