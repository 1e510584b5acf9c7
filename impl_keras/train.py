"""Training with `compile` and `fit`. Everything else is a callback, in `observe.py`."""

import tensorflow as tf

from bench.task import Observer, Task, Trained
from impl_keras.input import evaluation_dataset, training_dataset
from impl_keras.network import build_network
from impl_keras.observe import EpochReport, GradientHistograms, StepReport


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    dataset = training_dataset(task)
    evaluation = evaluation_dataset(task.dataset.evaluation, task)
    model = build_network(task.dataset.length, task.dataset.classes, task.outputs)
    model.set_weights(list(task.initial_weights().values()))
    model.compile(
        optimizer=build_optimizer(task),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    callbacks = [
        StepReport(observer),
        tf.keras.callbacks.ModelCheckpoint(
            str(task.model_dir / "checkpoint-{epoch}"), save_weights_only=True
        ),
        EpochReport(task, evaluation, observer),
    ]
    if task.summaries:
        callbacks += [
            tf.keras.callbacks.TensorBoard(
                str(task.model_dir), histogram_freq=1, write_graph=False
            ),
            GradientHistograms(task),
        ]
    model.fit(
        dataset,
        epochs=task.epochs,
        steps_per_epoch=task.steps_per_epoch,
        callbacks=callbacks,
        verbose=0,
    )
    return Trained(model.predict(evaluation, verbose=0), model.count_params())


def build_optimizer(task: Task) -> tf.keras.optimizers.Optimizer:
    if task.optimizer == "sgd":
        return tf.keras.optimizers.SGD(task.learning_rate)
    if task.optimizer != "adam":
        raise ValueError(f"unknown optimizer {task.optimizer!r}: this port has adam and sgd")
    return tf.keras.optimizers.Adam(task.learning_rate, epsilon=task.adam_epsilon)
