"""Training with a `fit` that calls its function once for many steps: what Keras offers to somebody who needs speed."""

import tensorflow as tf

from bench.task import Observer, Task, Trained
from impl_keras.input import cached_dataset, evaluation_dataset
from impl_keras.network import build_network
from impl_keras.train import EpochReport

VALUES_PER_CALL = 2**23
"""Steps are put into one execution up to so many values (32 MiB): on small a whole pass of 125 steps, on large 4."""

VALUES_PER_THREAD = 2**18
"""Below so many values a batch, handing work to a second thread takes longer than doing it."""


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    fit_threads(task)
    steps_per_pass = task.dataset.train.batches(task.batch_size)
    steps = max(1, min(steps_per_pass, VALUES_PER_CALL // (task.batch_size * task.dataset.length)))
    dataset = cached_dataset(task, prefetched=steps if steps == steps_per_pass else 1)
    evaluation = evaluation_dataset(task.dataset.evaluation, task)
    model = build_network(task.dataset.length, task.loss)
    model.set_weights(list(task.initial_weights().values()))
    model.compile(
        optimizer=build_optimizer(task),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps,
    )
    callbacks = [
        CallReport(observer),
        tf.keras.callbacks.ModelCheckpoint(str(task.model_dir / "checkpoint-{epoch}"), save_weights_only=True),
        EpochReport(task, evaluation, observer),
    ]
    model.fit(dataset, epochs=task.epochs, steps_per_epoch=task.steps_per_epoch, callbacks=callbacks, verbose=0)
    batches = task.dataset.evaluation.batches(task.batch_size)  # several steps per execution must know how many there are
    return Trained(model.predict(evaluation, steps=batches, verbose=0), model.count_params())


def fit_threads(task: Task) -> None:
    """For small batches one thread within an op, and a second one that fetches the next batch; else one a core."""
    if task.batch_size * task.dataset.length < VALUES_PER_THREAD:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)


def build_optimizer(task: Task) -> tf.keras.optimizers.Optimizer:
    """The legacy optimizers update a variable in one fused op; the new Adam takes a dozen."""
    if task.optimizer == "sgd":
        return tf.keras.optimizers.legacy.SGD(task.learning_rate)
    return tf.keras.optimizers.legacy.Adam(task.learning_rate, epsilon=task.adam_epsilon)


class CallReport(tf.keras.callbacks.Callback):
    """Reports every execution of several steps; `batch` is the last of them, counted from 0 in every epoch."""

    def __init__(self, observer: Observer):
        super().__init__()
        self.observer = observer

    def on_train_begin(self, logs=None):
        self.observer.begin()

    def on_epoch_begin(self, epoch, logs=None):
        self.reported = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.observer.step(logs["loss"], batch + 1 - self.reported)
        self.reported = batch + 1
