"""Training with many steps in one call of a session: what Estimator offers for speed."""

import functools

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained
from impl_estimator.input import batch_parser, evaluation_input, training_records
from impl_estimator.network import build_network
from impl_estimator.observe import EpochReport, ProbeHook
from impl_estimator.train import build_optimizer, count_parameters, load_weights
from impl_estimator.train import model_fn as default_model_fn

VALUES_PER_CALL = 2**23
"""Largest number of values in one call (32 MiB): on small a whole pass of 125 steps, on large 4."""

VALUES_PER_THREAD = 2**18
"""In a batch of fewer values, handing work to a second thread takes longer than doing it."""


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    watched = ProbeHook(task)
    estimator = tf.estimator.Estimator(
        functools.partial(model_fn, watched=watched),
        config=tf.estimator.RunConfig(
            model_dir=str(task.model_dir),
            tf_random_seed=task.seed,
            session_config=fit_threads(task),
            save_checkpoints_steps=task.steps_per_epoch,
            save_summary_steps=None,  # both would be hooks, which cost time in every call
            log_step_count_steps=None,
        ),
        params={"task": task},
    )
    batches = min(
        task.dataset.train.batches(task.batch_size),
        VALUES_PER_CALL // (task.batch_size * task.dataset.length),
    )
    evaluate = functools.partial(evaluation_input, task.dataset.evaluation, task)
    saver = tf.train.CheckpointSaverHook(str(task.model_dir), save_steps=task.steps_per_epoch)
    tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(
            functools.partial(cached_dataset, task, max(1, batches)),
            max_steps=task.epochs * task.steps_per_epoch,
            hooks=[CallReport(observer), saver],
        ),
        tf.estimator.EvalSpec(
            evaluate, steps=None, throttle_secs=0, exporters=EpochReport(watched, observer)
        ),
    )
    predicted = estimator.predict(evaluate, yield_single_examples=False)
    outputs = np.concatenate([batch["outputs"] for batch in predicted])
    return Trained(outputs, count_parameters(estimator))


def fit_threads(task: Task) -> tf.ConfigProto:
    """Sets one thread for small batches, and one per core for large ones.

    A process makes the thread pool of its kernels once, at the first use of the runtime. A
    `while_loop` uses it while the graph is built: the configuration of the session would come too
    late.
    """
    threads = 1 if task.batch_size * task.dataset.length < VALUES_PER_THREAD else 0
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )


def cached_dataset(task: Task, batches: int) -> tf.data.Dataset:
    """Returns the same samples in the same order. An element has `batches` batches of one pass.

    Samples that fit into memory are parsed once and kept as float32. The dataset has one thread of
    its own, which takes little time from the threads that compute. Only one element is prefetched:
    on large it should still be in the CPU's cache when it is used.
    """
    dataset, parse = training_records(task), batch_parser(task)
    if task.fits_in_memory:
        dataset = dataset.batch(task.batch_size).map(parse).unbatch().cache()
    dataset = dataset.shuffle(task.shuffle_buffer, seed=task.seed).batch(batches * task.batch_size)
    if not task.fits_in_memory:
        dataset = dataset.map(parse)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    return dataset.repeat(task.passes).prefetch(1).with_options(options)


def model_fn(features, labels, mode, params, watched):
    """Builds, for training, a loop over the batches in `features`, float32 [samples, length].

    Other modes are as in the default profile.
    """
    if mode != tf.estimator.ModeKeys.TRAIN:
        return default_model_fn(features, labels, mode, params, watched)
    task = params["task"]
    # Makes the variables, which cannot be made inside a loop.
    build_network(features, task.dataset.classes, task.outputs)
    optimizer = build_optimizer(task)
    samples = tf.shape(labels)[0]

    def train_step(start, loss_sum):
        signal, label = (values[start : start + task.batch_size] for values in (features, labels))
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=label, logits=build_network(signal, task.dataset.classes, task.outputs)
            )
        # By default the gradients of an op wait for each other. On large this keeps a second core
        # idle for 15 % of the time.
        train_op = optimizer.minimize(
            tf.reduce_mean(losses), tf.train.get_global_step(), gate_gradients=optimizer.GATE_NONE
        )
        with tf.control_dependencies([train_op]):
            return start + task.batch_size, loss_sum + tf.reduce_sum(losses)

    _, loss_sum = tf.while_loop(
        lambda start, _: start < samples, train_step, [0, np.float32(0)], parallel_iterations=1
    )
    loss = loss_sum / tf.cast(samples, tf.float32)
    tf.add_to_collection("steps", tf.math.floordiv(samples - 1, task.batch_size) + 1)
    scaffold = tf.train.Scaffold(init_fn=functools.partial(load_weights, task))
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=loss.op, scaffold=scaffold)


class CallReport(tf.train.SessionRunHook):
    """Reports every call with its number of steps."""

    def __init__(self, observer: Observer):
        self.observer = observer

    def begin(self):
        self.steps = tf.get_collection("steps")[0]
        self.loss = tf.get_collection(tf.GraphKeys.LOSSES)[0]

    def after_create_session(self, session, coord):
        self.observer.begin()

    def before_run(self, run_context):
        return tf.train.SessionRunArgs([self.loss, self.steps])

    def after_run(self, run_context, run_values):
        loss, steps = run_values.results
        self.observer.step(float(loss), int(steps))
