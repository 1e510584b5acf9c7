"""The input of the graph: one pair of tensors. The session names the iterator that fills it."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

from bench.task import Split, Task


@dataclass(frozen=True)
class Input:
    """A batch of whichever iterator has its string handle fed to `handle`.

    `signal` is float32 [batch, length], `labels` int64 [batch].
    """

    signal: tf.Tensor
    labels: tf.Tensor
    handle: tf.Tensor
    training: tf.data.Iterator
    evaluation: tf.data.Iterator


def build_input(task: Task, dataset: tf.data.Dataset) -> Input:
    """Makes a feedable iterator over the training dataset and the evaluation split."""
    training = tf.data.make_initializable_iterator(dataset)
    evaluation = tf.data.make_initializable_iterator(
        evaluation_dataset(task.dataset.evaluation, task)
    )
    handle = tf.placeholder(tf.string, [], "iterator")
    iterator = tf.data.Iterator.from_string_handle(
        handle, tf.data.get_output_types(evaluation), tf.data.get_output_shapes(evaluation)
    )
    signal, labels = iterator.get_next()
    return Input(signal, labels, handle, training, evaluation)


def training_dataset(task: Task) -> tf.data.Dataset:
    """Returns (signal, label) batches of all epochs; every epoch has a new order."""
    tf.set_random_seed(task.seed)
    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
    return _batches(dataset, task).repeat(task.passes).prefetch(2)


def evaluation_dataset(split: Split, task: Task) -> tf.data.Dataset:
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
