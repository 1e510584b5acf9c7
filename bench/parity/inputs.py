"""The batches that both ports are given: from a file, from the dataset of a task, or drawn."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.parity.port import InputSpec, PortBatch
from bench.task import Dataset, Split, UserError

LABEL_NAMES = ("labels", "label", "y")
SAMPLES = 32
BATCHES = 4
SEED = 0


@dataclass(frozen=True)
class Inputs:
    """`batches` to train on, in turn; `evaluation` batches, the last of which is partial; `source` in words."""

    batches: list[PortBatch]
    evaluation: list[PortBatch]
    source: str


def read_inputs(path: Path) -> Inputs:
    """One batch out of an npz file: `labels`, and every other array a feature of that name. NumPy's float64 becomes
    float32, the networks' own.

    Raises:
        UserError: the file cannot be read or does not hold a batch.
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
    """Standard normal features, whole numbers over their range, and labels to go with the loss."""
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
    """The first batches of a dataset's training split. Needs TensorFlow."""
    wanted = min(dataset.train.samples, batch_size * batches)
    whole = _read(dataset, dataset.train, wanted)
    starts = range(0, wanted - batch_size + 1, batch_size)
    return Inputs(
        [part(whole, start, start + batch_size) for start in starts],
        _with_partial_last(part(whole, 0, batch_size)),
        f"{len(starts)} batches of {dataset.name}",
    )


def evaluation_batches(dataset: Dataset, batch_size: int) -> list[PortBatch]:
    """The evaluation split of a dataset, in file order. Needs TensorFlow."""
    whole = _read(dataset, dataset.evaluation, dataset.evaluation.samples)
    return [part(whole, start, start + batch_size) for start in range(0, len(whole), batch_size)]


def _read(dataset: Dataset, split: Split, wanted: int) -> PortBatch:
    import tensorflow as tf  # takes seconds to load, and the other inputs do not need it

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
    """Labels of a kind that `bench.parity.port.InputSpec` names, for outputs of a shape."""
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
    """Samples `start` to `end` of a batch."""
    return PortBatch(
        {name: value[start:end] for name, value in batch.features.items()}, batch.labels[start:end]
    )


def _narrowed(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _with_partial_last(batch: PortBatch) -> list[PortBatch]:
    """Three batches of which the last has fewer samples, or as many as there are samples."""
    size = max(1, len(batch) * 2 // 5)
    return [part(batch, start, start + size) for start in range(0, len(batch), size)]
