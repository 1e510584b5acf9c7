"""Makes the batches that both ports are given: from a file, from a dataset, or drawn."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.parity.port import InputSpec, PortBatch
from bench.task import Dataset, Split, UserError

LABEL_NAMES = ("labels", "label", "y")
"""Names that the array of labels may have in a file."""

SAMPLES = 32
"""Samples of a drawn batch."""

BATCHES = 4
"""Number of drawn batches."""

SEED = 0


@dataclass(frozen=True)
class Inputs:
    """The batches to train on, in turn, and those to evaluate, of which the last is partial.

    `source` says in words where they come from.
    """

    batches: list[PortBatch]
    evaluation: list[PortBatch]
    source: str


def read_inputs(path: Path) -> Inputs:
    """Reads one batch from an npz file.

    The array `labels` has the labels; every other array is a feature of that name. float64 becomes
    float32, the networks' own precision.

    Raises:
        UserError: the file cannot be read, or has no batch.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _narrowed(file[name]) for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise UserError(
            f"--batch {path} cannot be read as an npz file of plain arrays: {error}"
        ) from error
    labels = next((arrays.pop(name) for name in LABEL_NAMES if name in arrays), None)
    if labels is None or not arrays:
        raise UserError(
            f"--batch {path} needs an array 'labels' and at least one other; it has "
            f"{', '.join([*arrays] + ['labels'] * (labels is not None)) or 'none'}"
        )
    sizes = {
        name: value.shape[0] if value.ndim else 0
        for name, value in {**arrays, "labels": labels}.items()
    }
    if len(set(sizes.values())) > 1 or not labels.size:
        raise UserError(
            f"--batch {path}: arrays differ in their number of samples or are empty: "
            + ", ".join(f"{name} {size}" for name, size in sizes.items())
        )
    batch = PortBatch(arrays, labels)
    return Inputs([batch], _with_partial_last(batch), f"{len(batch)} samples of {path.name}")


def draw_inputs(spec: InputSpec) -> Inputs:
    """Draws features, standard normal or uniform whole numbers, and labels, as a port declares."""
    generator = np.random.default_rng(SEED)
    samples = SAMPLES * BATCHES
    features = {
        name: generator.standard_normal((samples, *shape)).astype(dtype)
        if limit is None
        else generator.integers(0, limit, (samples, *shape)).astype(dtype)
        for name, (shape, dtype, limit) in spec.features.items()
    }
    whole = PortBatch(features, draw_labels(spec.labels, spec.outputs, samples, generator))
    batches = [part(whole, start, start + SAMPLES) for start in range(0, samples, SAMPLES)]
    return Inputs(
        batches,
        _with_partial_last(part(whole, 0, SAMPLES * 2)),
        f"{BATCHES} batches of {SAMPLES} drawn samples",
    )


def dataset_inputs(dataset: Dataset, batch_size: int, batches: int) -> Inputs:
    """Reads the first batches of a dataset's training split. Imports TensorFlow."""
    wanted = min(dataset.train.samples, batch_size * batches)
    whole = _read(dataset, dataset.train, wanted)
    starts = range(0, wanted - batch_size + 1, batch_size)
    return Inputs(
        [part(whole, start, start + batch_size) for start in starts],
        _with_partial_last(part(whole, 0, batch_size)),
        f"{len(starts)} batches of {dataset.name}",
    )


def evaluation_batches(dataset: Dataset, batch_size: int) -> list[PortBatch]:
    """Reads the evaluation split of a dataset, in file order. Imports TensorFlow."""
    whole = _read(dataset, dataset.evaluation, dataset.evaluation.samples)
    return [part(whole, start, start + batch_size) for start in range(0, len(whole), batch_size)]


def _read(dataset: Dataset, split: Split, wanted: int) -> PortBatch:
    """Reads the first samples of a split."""
    import tensorflow as tf  # takes seconds, and the other inputs do not need it

    values = np.dtype(dataset.values).newbyteorder("<")
    signal, labels = [], []
    for record in tf.data.TFRecordDataset(split.files).take(wanted).as_numpy_iterator():
        example = tf.train.Example.FromString(record).features.feature
        signal.append(
            np.frombuffer(example["signal"].bytes_list.value[0], values).astype(np.float32)
        )
        labels.append(example["label"].int64_list.value[0])
    return PortBatch({"signal": np.stack(signal)}, np.array(labels))


def draw_labels(
    kind: str, outputs: tuple[int, ...], samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws labels of a kind that `bench.parity.port.InputSpec` names.

    `outputs` is the shape of the outputs without samples.
    """
    if kind == "classes":
        return generator.integers(0, outputs[-1], (samples, *outputs[:-1]))
    if kind == "one-hot":
        return np.eye(outputs[-1], dtype=np.float32)[
            generator.integers(0, outputs[-1], (samples, *outputs[:-1]))
        ]
    if kind == "binary":
        return generator.integers(0, 2, (samples, *outputs)).astype(np.float32)
    return generator.standard_normal((samples, *outputs)).astype(np.float32)


def part(batch: PortBatch, start: int, end: int) -> PortBatch:
    """Returns the samples from `start` to before `end`."""
    return PortBatch(
        {name: value[start:end] for name, value in batch.features.items()}, batch.labels[start:end]
    )


def _narrowed(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _with_partial_last(batch: PortBatch) -> list[PortBatch]:
    """Splits a batch into three, of which the last is smaller; a tiny batch into single samples."""
    size = max(1, len(batch) * 2 // 5)
    return [part(batch, start, start + size) for start in range(0, len(batch), size)]
