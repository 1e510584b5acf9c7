"""The graph's input: one pair of tensors, fed by whichever iterator the session names."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

from bench.task import Split, Task


@dataclass(frozen=True)
class Input:
    """`signal` float32 [batch, length] and `labels` int64 [batch], out of the iterator whose string handle is
    fed to `handle`: one with such elements."""

    signal: tf.Tensor
    labels: tf.Tensor
    handle: tf.Tensor
    training: tf.data.Iterator
    evaluation: tf.data.Iterator


def build_input(task: Task, dataset: tf.data.Dataset) -> Input:
    """A feedable iterator over the training dataset and the evaluation split."""
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
    """(signal, label) batches of all epochs, in a new order each."""
    tf.set_random_seed(task.seed)
    dataset = _records(task).shuffle(task.shuffle_buffer, seed=task.seed)
    return _batches(dataset, task).repeat(task.passes).prefetch(2)


def cached_dataset(task: Task, batches: int) -> tf.data.Dataset:
    """The same samples in the same order, `batches` of them to an element, never across the end of a pass.

    Parsed once and kept in memory as float32, if they fit. One thread of its own keeps off those that compute, and takes
    less from them than the autotuner's. No more than one element is prefetched: on large it should still be in the CPU's
    cache when it is used.
    """
    tf.set_random_seed(task.seed)
    dataset, parse = _records(task), _parser(task)
    if task.fits_in_memory:
        dataset = dataset.batch(task.batch_size).map(parse).unbatch().cache()
    dataset = dataset.shuffle(task.shuffle_buffer, seed=task.seed).batch(batches * task.batch_size)
    if not task.fits_in_memory:
        dataset = dataset.map(parse)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return dataset.repeat(task.passes).prefetch(1).with_options(options)


def shared_dataset(
    task: Task, replicas: int, first: int, count: int, skip: tf.Tensor
) -> tf.data.Dataset:
    """(signal, label, weight) of the same batches in the same order without end, from batch `skip` on: of every batch the
    shares of `count` of its `replicas`, from replica `first` on, one after the other.

    Share i has the samples i, i + replicas, ... of the batch, which is filled up with samples of weight 0. The weights,
    float32 [samples], make the mean over all shares of mean(weight * loss) the mean over the batch. Records are
    dealt out before they are parsed.
    """
    tf.set_random_seed(task.seed)
    records = (
        _records(task)
        .shuffle(task.shuffle_buffer, seed=task.seed)
        .batch(task.batch_size)
        .repeat()
        .skip(skip)
    )
    parse = _parser(task)

    def deal(examples):
        samples = tf.size(examples)
        rows = (samples + replicas - 1) // replicas
        filled = tf.concat([examples, tf.repeat(examples[:1], rows * replicas - samples)], axis=0)
        weights = tf.cast(tf.range(rows * replicas) < samples, tf.float32) * tf.cast(
            rows * replicas / samples, tf.float32
        )
        shares = [
            tf.transpose(tf.reshape(values, [rows, replicas]))[first : first + count]
            for values in (filled, weights)
        ]
        return tf.data.Dataset.from_tensor_slices(tuple(shares))

    return (
        records.flat_map(deal)
        .map(lambda examples, weights: (*parse(examples), weights))
        .prefetch(2)
    )


def evaluation_dataset(split: Split, task: Task) -> tf.data.Dataset:
    """One pass over the split in file order."""
    return _batches(tf.data.TFRecordDataset(split.files), task).prefetch(2)


def _records(task: Task) -> tf.data.Dataset:
    """The training split's, of its files in a new order in every epoch."""
    files = task.dataset.train.files
    return tf.data.TFRecordDataset(
        tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=task.seed)
    )


def _batches(dataset: tf.data.Dataset, task: Task) -> tf.data.Dataset:
    """Whole batches are parsed at once: one call for 32 samples."""
    return dataset.batch(task.batch_size).map(_parser(task))


def _parser(task: Task) -> Callable:
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
