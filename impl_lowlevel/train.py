"""Training with a session. Loss, loop, evaluation and summaries are written by hand."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Evaluation, Observer, Probe, Task, Trained
from impl_lowlevel.input import Input, build_input, training_dataset
from impl_lowlevel.network import build_network


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
        gradient_norm = tf.global_norm([gradient for gradient, _ in model.gradients])
        saver = tf.train.Saver()
        summaries = Summaries(task, model) if task.summaries else None
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            load_weights(task, session)
            session.run(model.input.training.initializer)
            training = session.run(model.input.training.string_handle())
            probe = {
                model.input.signal: task.dataset.probe.signal,
                model.input.labels: task.dataset.probe.labels,
            }
            observer.begin()
            for _ in range(task.epochs):
                for _ in range(task.steps_per_epoch):
                    _, loss = session.run(
                        [model.train_op, model.loss], {model.input.handle: training}
                    )
                    observer.step(float(loss))
                evaluation, outputs = evaluate(model, session)
                saver.save(session, str(task.model_dir / "checkpoint"), evaluation.global_step)
                if summaries:
                    summaries.write(session, probe, evaluation)
                observer.evaluation(
                    evaluation, Probe(*session.run([gradient_norm, model.outputs], probe))
                )
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
    predicted = outputs.argmax(axis=1)
    evaluation = Evaluation(
        global_step=int(session.run(model.global_step)),
        accuracy=float(np.mean(predicted == labels)),
        loss=float(sum((batch[2] for batch in batches), np.float32(0)) / np.float32(len(labels))),
        true_positives=int(np.sum((predicted > 0) & (labels > 0))),
        true_negatives=int(np.sum((predicted == 0) & (labels == 0))),
        false_positives=int(np.sum((predicted > 0) & (labels == 0))),
        false_negatives=int(np.sum((predicted == 0) & (labels > 0))),
    )
    return evaluation, outputs


class Summaries:
    """Writes TensorBoard summaries after every epoch: loss, accuracy, and the histogram of every
    variable and of its gradient on the fixed batch."""

    def __init__(self, task: Task, model: Model):
        for gradient, variable in model.gradients:
            tf.summary.histogram(f"variable/{variable.op.name}", variable)
            tf.summary.histogram(f"gradient/{variable.op.name}", gradient)
        self.histograms = tf.summary.merge_all()
        self.writer = tf.summary.FileWriter(str(task.model_dir), tf.get_default_graph())

    def write(self, session: tf.Session, probe: dict, evaluation: Evaluation) -> None:
        scalars = tf.Summary(
            value=[
                tf.Summary.Value(tag="loss", simple_value=evaluation.loss),
                tf.Summary.Value(tag="accuracy", simple_value=evaluation.accuracy),
            ]
        )
        self.writer.add_summary(scalars, evaluation.global_step)
        self.writer.add_summary(session.run(self.histograms, probe), evaluation.global_step)
        self.writer.flush()
