"""Datasets on disk: TFRecords in a cache folder, named by the hash of their recipe, checked whenever they are used.

A folder of the cache holds `train.tfrecord`, `evaluation.tfrecord`, `arrays.npz` (the evaluation labels, and the
first batch of the training split as the probe) and `manifest.json`, which records the recipe, the counts and the
SHA-256 of each file. It is written beside its place and renamed into it, so a folder that exists is whole.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import platformdirs

from bench.data.source import Samples, Source, Spec
from bench.task import BATCH_SIZE, Batch, Dataset, Split, UserError

FORMAT = 1
"""To be raised when the files change their layout."""


def cache_folder() -> Path:
    """Where datasets are kept between runs."""
    return platformdirs.user_cache_path("tf-port-bench")


def folder_of(source: Source, spec: Spec) -> Path:
    """The cache folder of a dataset, which may not exist yet."""
    return cache_folder() / f"{spec.name}-{source.name}-{_digest(source, spec)}"


def open_dataset(source: Source, spec: Spec) -> Dataset | None:
    """The cached dataset, or None if there is none or its files are not what the manifest says."""
    folder = folder_of(source, spec)
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if any(_sha256(folder / name) != digest for name, digest in manifest["sha256"].items()):
            return None
        arrays = np.load(folder / "arrays.npz", allow_pickle=False)
        return Dataset(
            spec.name,
            spec.length,
            _digest(source, spec),
            Split(folder / "train.tfrecord", manifest["samples"]["train"]),
            Split(folder / "evaluation.tfrecord", manifest["samples"]["evaluation"]),
            arrays["evaluation_labels"],
            Batch(arrays["probe_signal"].astype(np.float32), arrays["probe_labels"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def make_dataset(source: Source, spec: Spec) -> Dataset:
    """The dataset, drawn and written now, in place of a cached one that is there. Needs TensorFlow.

    Raises:
        UserError: the samples cannot be drawn or the cache folder cannot be written.
    """
    folder = folder_of(source, spec)
    train, evaluation = source.draw(spec)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            _write(made, _recipe(source, spec), train, evaluation)
            if folder.exists():
                folder.rename(Path(scratch, "replaced"))
            made.rename(folder)
    except OSError as error:
        raise UserError(f"cannot write the dataset to {folder.parent}: {error.strerror or error}") from error
    dataset = open_dataset(source, spec)
    if dataset is None:
        raise UserError(f"{folder} was damaged while it was written; is the disk failing?")
    return dataset


def _recipe(source: Source, spec: Spec) -> dict:
    return {"format": FORMAT, "name": spec.name, "length": spec.length, "train": spec.train,
            "evaluation": spec.evaluation, **source.recipe(spec)}


def _digest(source: Source, spec: Spec) -> str:
    return hashlib.sha256(json.dumps(_recipe(source, spec), sort_keys=True).encode()).hexdigest()[:16]


def _write(folder: Path, recipe: dict, train: Samples, evaluation: Samples) -> None:
    write_tfrecords(folder / "train.tfrecord", train)
    write_tfrecords(folder / "evaluation.tfrecord", evaluation)
    np.savez(
        folder / "arrays.npz",
        evaluation_labels=evaluation.labels,
        probe_signal=train.signal[:BATCH_SIZE],
        probe_labels=train.labels[:BATCH_SIZE],
    )
    manifest = {
        "recipe": recipe,
        "samples": {"train": len(train.labels), "evaluation": len(evaluation.labels)},
        "sha256": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))


def write_tfrecords(path: Path, samples: Samples) -> None:
    """One example a sample: `signal` as little-endian int16 bytes (half the size and 30 times faster to write
    than a float list), `label`, and `index`, the sample's place in the file."""
    import tensorflow as tf  # takes seconds, and a cached dataset does not need it

    def integer(value):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for index, (signal, label) in enumerate(zip(samples.signal, samples.labels)):
                payload = tf.train.BytesList(value=[signal.astype("<i2").tobytes()])
                writer.write(tf.train.Example(features=tf.train.Features(feature={
                    "signal": tf.train.Feature(bytes_list=payload),
                    "label": integer(int(label)),
                    "index": integer(index),
                })).SerializeToString())
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
