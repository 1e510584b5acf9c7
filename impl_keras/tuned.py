"""Training with many steps in one call of a function: what Keras offers for speed."""

import math

import tensorflow as tf

from bench.task import Observer, Task, Trained
from impl_keras.input import batch_parser, evaluation_dataset, training_records
from impl_keras.network import build_network
from impl_keras.observe import EpochReport

VALUES_PER_ELEMENT = 2**23
"""Largest number of values in one element of the dataset (32 MiB): on small a whole pass of 125
batches, on large 4 batches."""

ELEMENTS_PER_CALL = 4
"""Largest number of elements in one execution: on large a whole pass of 13 batches."""

VALUES_PER_THREAD = 2**18
"""In a batch of fewer values, handing work to a second thread takes longer than doing it."""


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    fit_threads(task)
    batches = task.dataset.train.batches(task.batch_size)
    batches_per_element = max(
        1, min(batches, VALUES_PER_ELEMENT // (task.batch_size * task.dataset.length))
    )
    elements = math.ceil(batches / batches_per_element)
    dataset = cached_dataset(task, batches_per_element)
    evaluation = evaluation_dataset(task.dataset.evaluation, task)
    network = build_network(task.dataset.length, task.dataset.classes, task.outputs)
    model = ManySteps(network.inputs, network.outputs, batch_size=task.batch_size)
    model.set_weights(list(task.initial_weights().values()))
    model.compile(
        optimizer=build_optimizer(task),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=min(elements, ELEMENTS_PER_CALL),
    )
    callbacks = [
        CallReport(observer),
        tf.keras.callbacks.ModelCheckpoint(
            str(task.model_dir / "checkpoint-{epoch}"), save_weights_only=True
        ),
        EpochReport(task, evaluation, observer),
    ]
    steps_per_epoch = elements * task.passes_per_epoch  # as `fit` counts them
    model.fit(
        dataset, epochs=task.epochs, steps_per_epoch=steps_per_epoch, callbacks=callbacks, verbose=0
    )
    # With several steps per execution, Keras must know how many there are.
    batches = task.dataset.evaluation.batches(task.batch_size)
    return Trained(model.predict(evaluation, steps=batches, verbose=0), model.count_params())


def fit_threads(task: Task) -> None:
    """Sets one thread for small batches; large ones have one per core by default."""
    if task.batch_size * task.dataset.length < VALUES_PER_THREAD:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def cached_dataset(task: Task, batches: int) -> tf.data.Dataset:
    """Returns the same samples in the same order. An element has `batches` batches of one pass.

    Samples that fit into memory are parsed once and kept as float32. The dataset has one thread of
    its own, which takes little time from the threads that compute. Only one element is prefetched:
    on large it should still be in the CPU's cache when it is used.
    """
    tf.random.set_seed(task.seed)
    dataset, parse = training_records(task), batch_parser(task)
    if task.fits_in_memory:
        dataset = dataset.batch(task.batch_size).map(parse).unbatch().cache()
    dataset = dataset.shuffle(task.shuffle_buffer, seed=task.seed).batch(batches * task.batch_size)
    if not task.fits_in_memory:
        dataset = dataset.map(parse)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    return dataset.repeat(task.passes).prefetch(1).with_options(options)


def build_optimizer(task: Task) -> tf.keras.optimizers.Optimizer:
    """Returns a legacy optimizer: it updates a variable in one fused op; the new Adam needs a
    dozen."""
    if task.optimizer == "sgd":
        return tf.keras.optimizers.legacy.SGD(task.learning_rate)
    if task.optimizer != "adam":
        raise ValueError(f"unknown optimizer {task.optimizer!r}: this port has adam and sgd")
    return tf.keras.optimizers.legacy.Adam(task.learning_rate, epsilon=task.adam_epsilon)


class ManySteps(tf.keras.Model):
    """Takes an element of many batches, and runs Keras's own training step on each batch.

    `steps_per_execution` alone would fetch every batch inside its loop. That op waits for another
    thread: 60 µs in a step of 400 µs.
    """

    def __init__(self, *arguments, batch_size: int, **options):
        super().__init__(*arguments, **options)
        self.batch_size = batch_size

    def train_step(self, data):
        signal, labels = data

        def one_step(start):
            end = start + self.batch_size
            tf.keras.Model.train_step(self, (signal[start:end], labels[start:end]))
            return end

        tf.while_loop(
            lambda start: start < tf.shape(labels)[0], one_step, [0], parallel_iterations=1
        )
        return {metric.name: metric.result() for metric in self.metrics}


class CallReport(tf.keras.callbacks.Callback):
    """Reports every execution with its number of steps, which the optimizer counts."""

    def __init__(self, observer: Observer):
        super().__init__()
        self.observer = observer
        self.reported = 0

    def on_train_begin(self, logs=None):
        self.observer.begin()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        done = int(self.model.optimizer.iterations)
        self.observer.step(logs["loss"], done - self.reported)
        self.reported = done
