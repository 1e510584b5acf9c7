"""The input functions of `TrainSpec` and `EvalSpec`; Estimator calls them inside its own graph."""

from collections.abc import Callable

import tensorflow.compat.v1 as tf

from bench.task import Split, Task


def training_input(task: Task) -> tf.data.Dataset:
    """(signal, label) batches of all epochs, in a new order each; `RunConfig` sets the graph-level seed."""
    dataset = _records(task).shuffle(task.shuffle_buffer, seed=task.seed)
    return _batches(dataset, task).repeat(task.passes).prefetch(2)


def cached_dataset(task: Task, batches: int) -> tf.data.Dataset:
    """The same samples in the same order, `batches` of them to an element, never across the end of a pass.

    Parsed once and kept in memory as float32, if they fit. One thread of its own keeps off those that compute, and takes
    less from them than the autotuner's. No more than one element is prefetched: on large it should still be in the CPU's
    cache when it is used.
    """
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


def shared_dataset(task: Task, replicas: int, first: int, count: int, skip: int) -> tf.data.Dataset:
    """({signal, weight}, label) of the same batches in the same order without end, from batch `skip` on: of every batch the
    shares of `count` of its `replicas`, from replica `first` on, one after the other.

    Share i has the samples i, i + replicas, ... of the batch, which is filled up with samples of weight 0. The weights,
    float32 [samples], make the mean over all shares of mean(weight * loss) the mean over the batch. Records are
    dealt out before they are parsed.
    """
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

    def parse_share(examples, weights):
        signal, labels = parse(examples)
        return {"signal": signal, "weight": weights}, labels

    return records.flat_map(deal).map(parse_share).prefetch(2)


def evaluation_input(split: Split, task: Task) -> tf.data.Dataset:
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
