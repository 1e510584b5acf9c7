"""The floor: the shortest step that TensorFlow can do, without any API, input or Python.

The standard network and optimizer run in a loop, inside one call of a session, on one batch that
stays in memory.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained
from impl_lowlevel.network import build_network
from impl_lowlevel.train import build_optimizer, load_weights
from impl_lowlevel.tuned import fit_threads

VALUES_PER_CALL = 2**23
"""Largest number of values in one call, as in the tuned profile: 100 steps on small, 4 on large."""


def train(task: Task, observer: Observer) -> Trained:
    """Trains on the same batch, one call for every pass of `task`. There is nothing to evaluate."""
    threads = fit_threads(task)
    steps = max(1, min(100, VALUES_PER_CALL // (task.batch_size * task.dataset.length)))
    with tf.Graph().as_default():
        loss = build_loop(task, steps)
        with tf.Session(config=threads) as session:
            session.run(tf.global_variables_initializer())
            load_weights(task, session)
            train_call = session.make_callable(loss)
            observer.begin()
            for _ in range(task.passes):
                observer.step(float(train_call()), steps)
            return Trained(
                np.empty((0, task.dataset.classes), np.float32),
                sum(variable.shape.num_elements() for variable in tf.trainable_variables()),
            )


def build_loop(task: Task, steps: int) -> tf.Tensor:
    """Returns the mean loss over `steps` training steps on the fixed batch."""
    signal = tf.get_variable("signal", initializer=task.dataset.probe.signal, trainable=False)
    labels = tf.constant(task.dataset.probe.labels)
    optimizer = build_optimizer(task)
    # Makes the variables, which cannot be made inside a loop.
    build_network(signal, task.dataset.classes, task.outputs)

    def train_step(step, loss_sum):
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels, logits=build_network(signal, task.dataset.classes, task.outputs)
            )
        loss = tf.reduce_mean(losses)
        train_op = optimizer.minimize(loss, gate_gradients=optimizer.GATE_NONE)
        with tf.control_dependencies([train_op]):
            return step + 1, loss_sum + loss

    _, loss_sum = tf.while_loop(
        lambda step, _: step < steps, train_step, [0, np.float32(0)], parallel_iterations=1
    )
    return loss_sum / steps
