"""Training with a session. Loss, loop and evaluation are written by hand."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Evaluation, Observer, Task, Trained
from impl_lowlevel.input import Input, build_input, training_dataset
from impl_lowlevel.network import build_network
from impl_lowlevel.observe import EpochReport, counted


@dataclass(frozen=True)
class Model:
    """The tensors and ops that the session runs."""

    input: Input
    outputs: tf.Tensor
    loss: tf.Tensor
    loss_sum: tf.Tensor
    gradients: list
    train_op: tf.Operation
    global_step: tf.Variable


def build_model(task: Task) -> Model:
    """Builds input, network, loss and optimizer in the current graph."""
    tf.set_random_seed(task.seed)
    batch = build_input(task, training_dataset(task))
    outputs = build_network(batch.signal, task.dataset.classes, task.outputs)
    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=batch.labels, logits=outputs
    )
    loss = tf.reduce_mean(sample_losses)
    global_step = tf.train.get_or_create_global_step()
    optimizer = build_optimizer(task)
    gradients = optimizer.compute_gradients(loss)
    train_op = optimizer.apply_gradients(gradients, global_step)
    return Model(
        batch, outputs, loss, tf.reduce_sum(sample_losses), gradients, train_op, global_step
    )


def build_optimizer(task: Task) -> tf.train.Optimizer:
    if task.optimizer == "sgd":
        return tf.train.GradientDescentOptimizer(task.learning_rate)
    if task.optimizer != "adam":
        raise ValueError(f"unknown optimizer {task.optimizer!r}: this port has adam and sgd")
    return tf.train.AdamOptimizer(task.learning_rate, epsilon=task.adam_epsilon)


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    with tf.Graph().as_default():
        model = build_model(task)
        report = EpochReport(task, observer, model.input, model.outputs, model.gradients)
        saver = tf.train.Saver()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            load_weights(task, session)
            session.run(model.input.training.initializer)
            training = session.run(model.input.training.string_handle())
            observer.begin()
            for _ in range(task.epochs):
                for _ in range(task.steps_per_epoch):
                    _, loss = session.run(
                        [model.train_op, model.loss], {model.input.handle: training}
                    )
                    observer.step(float(loss))
                evaluation, outputs = evaluate(model, session)
                saver.save(session, str(task.model_dir / "checkpoint"), evaluation.global_step)
                report.write(session, evaluation)
            return Trained(
                outputs, sum(variable.shape.num_elements() for variable in tf.trainable_variables())
            )


def load_weights(task: Task, session: tf.Session) -> None:
    weights = task.initial_weights()
    for variable in tf.trainable_variables():
        variable.load(weights[variable.op.name], session)


def evaluate(model: Model, session: tf.Session) -> tuple[Evaluation, np.ndarray]:
    """Evaluates the whole split. Returns the evaluation, and the outputs in file order."""
    session.run(model.input.evaluation.initializer)
    feed = {model.input.handle: session.run(model.input.evaluation.string_handle())}
    batches = []
    while True:
        try:
            batches.append(session.run([model.input.labels, model.outputs, model.loss_sum], feed))
        except tf.errors.OutOfRangeError:
            break
    labels, outputs = (np.concatenate(values) for values in list(zip(*batches))[:2])
    loss = float(sum((batch[2] for batch in batches), np.float32(0)) / np.float32(len(labels)))
    return counted(int(session.run(model.global_step)), loss, labels, outputs), outputs
