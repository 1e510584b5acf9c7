"""The input functions of `TrainSpec` and `EvalSpec`. Estimator calls them inside its own graph."""

from collections.abc import Callable

import tensorflow.compat.v1 as tf

from bench.task import Split, Task


def training_input(task: Task) -> tf.data.Dataset:
    """Returns (signal, label) batches of all epochs; every epoch has a new order.

    `RunConfig` sets the graph-level seed.
    """
    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
    return _batches(dataset, task).repeat(task.passes).prefetch(2)


def evaluation_input(split: Split, task: Task) -> tf.data.Dataset:
    """Returns one pass over the split in file order."""
    return _batches(_records(split.files), task).prefetch(2)


def training_records(task: Task) -> tf.data.Dataset:
    """Reads the training split. Every epoch has its files in a new order."""
    files = task.dataset.train.files
    return _records(tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=task.seed))


def _records(files) -> tf.data.Dataset:
    """Reads files without the autotuner: its thread may delay the end by seconds (docs/cost.md)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.TFRecordDataset(files).with_options(options)


def _batches(dataset: tf.data.Dataset, task: Task) -> tf.data.Dataset:
    """Parses whole batches: one call for 32 samples."""
    return dataset.batch(task.batch_size).map(batch_parser(task))


def batch_parser(task: Task) -> Callable:
    """Returns a function from serialised examples, string [batch], to signals and labels."""

    def parse(examples):
        features = tf.io.parse_example(
            examples,
            {
                "signal": tf.io.FixedLenFeature([], tf.string),
                "label": tf.io.FixedLenFeature([], tf.int64),
            },
        )
        signal = tf.io.decode_raw(features["signal"], task.dataset.values)
        signal = tf.ensure_shape(signal, [None, task.dataset.length])
        return tf.cast(signal, tf.float32), features["label"]

    return parse
