"""The files of a split: shards of TFRecords, each drawn and written by a process of its own.

A shard is complete once its summary file exists. This is an `.npz` with the shard's labels, its
SHA-256 and, for the first shard of the training split, the signal of the first batch.
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
    """Samples `start` to `stop` (excluded) of a split, in the file `name`."""

    split: str
    start: int
    stop: int
    name: str


@dataclass(frozen=True)
class ShardSummary:
    """Summary of a shard.

    Attributes:
        labels: int64 [samples].
        first_batch: signal [up to a batch, length] of the first training shard; else [0, length].
        sha256: of the shard's file.
    """

    labels: np.ndarray
    first_batch: np.ndarray
    sha256: str


def shards_of(spec: Spec, sizes: dict[str, int]) -> list[Shard]:
    """Returns all shards of a dataset; `sizes` are its numbers of samples by split."""
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
    """Draws and writes a shard and its summary, both completely or not at all. Needs TensorFlow.

    Raises:
        OSError: the folder cannot be written.
    """
    samples = source.draw(spec, shard.split, shard.start, shard.stop)
    first = samples.signal[: BATCH_SIZE if shard.split == "train" and shard.start == 0 else 0]
    scratch, summary = folder / f"{shard.name}.part", folder / f"{shard_summary_name(shard)}.part"
    try:
        write_tfrecords(scratch, samples, shard.start)
        with summary.open("wb") as file:
            np.savez(file, labels=samples.labels, head=first, sha256=np.array(sha256(scratch)))
        for written, name in ((scratch, shard.name), (summary, shard_summary_name(shard))):
            sync(written)
            written.replace(folder / name)
        sync(folder)
    except BaseException:
        for broken in (scratch, summary):
            broken.unlink(missing_ok=True)
        raise


def shard_summary_name(shard: Shard) -> str:
    """Returns the name of a shard's summary file."""
    return f"{shard.name}.npz"


def read_shard_summary(folder: Path, shard: Shard) -> ShardSummary:
    """Reads the summary of a shard.

    Raises:
        OSError, ValueError, KeyError: there is no summary file, or it is damaged.
    """
    try:
        with np.load(folder / shard_summary_name(shard), allow_pickle=False) as arrays:
            return ShardSummary(arrays["labels"], arrays["head"], str(arrays["sha256"]))
    except (EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ValueError(f"{shard_summary_name(shard)} is damaged") from error


def write_tfrecords(path: Path, samples: Samples, start: int = 0) -> None:
    """Writes one `tf.train.Example` per sample.

    Its features are `signal` as little-endian bytes, `label`, and `index`, the sample's place in
    its split; the first sample has the place `start`. Bytes of int16 take half the size of a list
    of floats, and are written 30 times faster.

    Raises:
        OSError: the file cannot be written.
    """
    import tensorflow as tf  # it takes seconds to import, and a cached dataset does not need it

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
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
