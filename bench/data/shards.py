"""The files of a split: shards of TFRecords, each drawn and written by a process of its own.

A shard counts as made once its side file is there, an `.npz` of its labels, its SHA-256 and, of the first of the training
split, the signal of its first batch.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.source import SPLITS, Samples, Source, Spec
from bench.durable import sync
from bench.task import BATCH_SIZE


@dataclass(frozen=True)
class Shard:
    """Samples `start` to `stop` of a split, in the file `name`."""

    split: str
    start: int
    stop: int
    name: str


@dataclass(frozen=True)
class ShardSummary:
    """What is remembered of a shard: `labels` int64 [samples], and the signal of up to a batch of first samples, `head`."""

    labels: np.ndarray
    head: np.ndarray
    sha256: str


def shards_of(spec: Spec, sizes: dict[str, int]) -> list[Shard]:
    """All shards of a dataset of so many samples by split."""
    shards = []
    for split in SPLITS:
        starts = range(0, sizes[split], spec.shard_samples)
        shards += [
            Shard(
                split,
                start,
                min(start + spec.shard_samples, sizes[split]),
                f"{split}-{number:05}-of-{len(starts):05}.tfrecord",
            )
            for number, start in enumerate(starts)
        ]
    return shards


def write_shard(source: Source, spec: Spec, shard: Shard, folder: Path) -> None:
    """Draws and writes one shard, whole or not at all. Needs TensorFlow.

    Raises:
        OSError: the folder cannot be written.
    """
    samples = source.draw(spec, shard.split, shard.start, shard.stop)
    head = samples.signal[: BATCH_SIZE if shard.split == "train" and shard.start == 0 else 0]
    scratch, side = folder / f"{shard.name}.part", folder / f"{shard_summary_name(shard)}.part"
    try:
        write_tfrecords(scratch, samples, shard.start)
        with side.open("wb") as file:
            np.savez(file, labels=samples.labels, head=head, sha256=np.array(sha256(scratch)))
        for written, name in ((scratch, shard.name), (side, shard_summary_name(shard))):
            sync(written)
            written.replace(folder / name)
        sync(folder)
    except BaseException:
        for broken in (scratch, side):
            broken.unlink(missing_ok=True)
        raise


def shard_summary_name(shard: Shard) -> str:
    """Name of a shard's side file."""
    return f"{shard.name}.npz"


def read_shard_summary(folder: Path, shard: Shard) -> ShardSummary:
    """The side file of a shard that was made.

    Raises:
        OSError, ValueError, KeyError: there is none, or it is damaged.
    """
    try:
        with np.load(folder / shard_summary_name(shard), allow_pickle=False) as arrays:
            return ShardSummary(arrays["labels"], arrays["head"], str(arrays["sha256"]))
    except (EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ValueError(f"{shard_summary_name(shard)} is damaged") from error


def write_tfrecords(path: Path, samples: Samples, start: int = 0) -> None:
    """One example a sample: `signal` as little-endian bytes (int16 is half the size and 30 times faster to write than a float
    list), `label`, and `index`, the sample's place in its split, of which the first is `start`."""
    import tensorflow as tf  # takes seconds, and a cached dataset does not need it

    def integer(value):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    stored = samples.signal.astype(samples.signal.dtype.newbyteorder("<"))
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for index, (signal, label) in enumerate(zip(stored, samples.labels), start):
                writer.write(
                    tf.train.Example(
                        features=tf.train.Features(
                            feature={
                                "signal": tf.train.Feature(
                                    bytes_list=tf.train.BytesList(value=[signal.tobytes()])
                                ),
                                "label": integer(int(label)),
                                "index": integer(index),
                            }
                        )
                    ).SerializeToString()
                )
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
