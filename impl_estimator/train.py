"""Training with `train_and_evaluate` and a `model_fn`. The hooks that report it: `observe.py`."""

import functools

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained
from impl_estimator.input import evaluation_input, training_input
from impl_estimator.network import build_network
from impl_estimator.observe import EpochReport, ProbeHook, StepReport


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    watched = ProbeHook(task)
    estimator = tf.estimator.Estimator(
        functools.partial(model_fn, watched=watched),
        config=tf.estimator.RunConfig(
            model_dir=str(task.model_dir),
            tf_random_seed=task.seed,
            save_checkpoints_steps=task.steps_per_epoch,
            save_summary_steps=task.steps_per_epoch,
        ),
        params={"task": task},
    )
    evaluate = functools.partial(evaluation_input, task.dataset.evaluation, task)
    # Estimator's own saver would be the first hook: it would evaluate before the last step of the
    # epoch is reported. This one comes after the report.
    saver = tf.train.CheckpointSaverHook(str(task.model_dir), save_steps=task.steps_per_epoch)
    tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(
            functools.partial(training_input, task),
            max_steps=task.epochs * task.steps_per_epoch,
            hooks=[StepReport(observer), saver],
        ),
        tf.estimator.EvalSpec(
            evaluate, steps=None, throttle_secs=0, exporters=EpochReport(watched, observer)
        ),
    )
    batches = estimator.predict(evaluate, yield_single_examples=False)
    outputs = np.concatenate([batch["outputs"] for batch in batches])
    return Trained(outputs, count_parameters(estimator))


def model_fn(features, labels, mode, params, watched):
    """Builds the network for one mode. The hook `watched` takes the gradients of an evaluation."""
    task = params["task"]
    outputs = build_network(features, task.dataset.classes, task.outputs)
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode, predictions={"outputs": outputs})

    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
    optimizer = build_optimizer(task)
    gradients = optimizer.compute_gradients(loss)
    if mode == tf.estimator.ModeKeys.EVAL:
        watched.watch(features, labels, outputs, gradients)
        return tf.estimator.EstimatorSpec(
            mode, loss=loss, eval_metric_ops=metrics(labels, outputs), evaluation_hooks=[watched]
        )

    if task.summaries:
        for gradient, variable in gradients:
            tf.summary.histogram(f"variable/{variable.op.name}", variable)
            tf.summary.histogram(f"gradient/{variable.op.name}", gradient)
    train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
    scaffold = tf.train.Scaffold(init_fn=functools.partial(load_weights, task))
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, scaffold=scaffold)


def build_optimizer(task: Task) -> tf.train.Optimizer:
    if task.optimizer == "sgd":
        return tf.train.GradientDescentOptimizer(task.learning_rate)
    if task.optimizer != "adam":
        raise ValueError(f"unknown optimizer {task.optimizer!r}: this port has adam and sgd")
    return tf.train.AdamOptimizer(task.learning_rate, epsilon=task.adam_epsilon)


def load_weights(task: Task, scaffold: tf.train.Scaffold, session: tf.Session) -> None:
    weights = task.initial_weights()
    for variable in tf.trainable_variables():
        variable.load(weights[variable.op.name], session)


def metrics(labels: tf.Tensor, outputs: tf.Tensor) -> dict:
    """Returns the metrics of an evaluation.

    `average_loss` is the mean over samples. Estimator's own `loss` is the mean over batches, in
    which the samples of a partial last batch weigh more.
    """
    predicted = tf.argmax(outputs, axis=1)
    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs)
    return {
        "accuracy": tf.metrics.accuracy(labels, predicted),
        "average_loss": tf.metrics.mean(sample_losses),
        "true_positives": tf.metrics.true_positives(labels, predicted),
        "true_negatives": tf.metrics.true_negatives(labels, predicted),
        "false_positives": tf.metrics.false_positives(labels, predicted),
        "false_negatives": tf.metrics.false_negatives(labels, predicted),
    }


def count_parameters(estimator: tf.estimator.Estimator) -> int:
    trainable = [
        name for name in estimator.get_variable_names() if name.endswith(("/kernel", "/bias"))
    ]
    return sum(estimator.get_variable_value(name).size for name in trainable)
