"""Training with many steps in one call of a session: what sessions offer for speed."""

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained
from impl_lowlevel.input import batch_parser, build_input, training_records
from impl_lowlevel.network import build_network
from impl_lowlevel.observe import EpochReport
from impl_lowlevel.train import Model, build_optimizer, evaluate, load_weights

VALUES_PER_CALL = 2**23
"""Largest number of values in one call (32 MiB): on small a whole pass of 125 steps, on large 4."""

VALUES_PER_THREAD = 2**18
"""In a batch of fewer values, handing work to a second thread takes longer than doing it."""


def train(task: Task, observer: Observer) -> Trained:
    """Trains, evaluates after every epoch, and predicts the evaluation split."""
    threads = fit_threads(task)
    with tf.Graph().as_default():
        model, steps = build_model(task)
        report = EpochReport(task, observer, model.input, model.outputs, model.gradients)
        saver = tf.train.Saver()
        with tf.Session(config=threads) as session:
            session.run(tf.global_variables_initializer())
            load_weights(task, session)
            session.run(model.input.training.initializer)
            training = session.run(model.input.training.string_handle())
            # A callable looks up fetches and feeds once; `Session.run` does so in every call.
            train_call = session.make_callable([model.loss, steps], [model.input.handle])
            observer.begin()
            for _ in range(task.epochs):
                left = task.steps_per_epoch
                while left:
                    loss, done = train_call(training)
                    observer.step(float(loss), int(done))
                    left -= done
                evaluation, outputs = evaluate(model, session)
                saver.save(session, str(task.model_dir / "checkpoint"), evaluation.global_step)
                report.write(session, evaluation)
            return Trained(
                outputs, sum(variable.shape.num_elements() for variable in tf.trainable_variables())
            )


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
    tf.set_random_seed(task.seed)
    dataset, parse = training_records(task), batch_parser(task)
    if task.fits_in_memory:
        dataset = dataset.batch(task.batch_size).map(parse).unbatch().cache()
    dataset = dataset.shuffle(task.shuffle_buffer, seed=task.seed).batch(batches * task.batch_size)
    if not task.fits_in_memory:
        dataset = dataset.map(parse)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    return dataset.repeat(task.passes).prefetch(1).with_options(options)


def build_model(task: Task) -> tuple[Model, tf.Tensor]:
    """Builds the network twice, on the same variables: for the evaluation, and in a loop over the
    batches of one call. Returns the model, and the number of steps in the call."""
    tf.set_random_seed(task.seed)
    batches = min(
        task.dataset.train.batches(task.batch_size),
        VALUES_PER_CALL // (task.batch_size * task.dataset.length),
    )
    batch = build_input(task, cached_dataset(task, max(1, batches)))
    outputs = build_network(batch.signal, task.dataset.classes, task.outputs)
    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=batch.labels, logits=outputs
    )
    global_step = tf.train.get_or_create_global_step()
    optimizer = build_optimizer(task)
    gradients = optimizer.compute_gradients(tf.reduce_mean(sample_losses))
    samples = tf.shape(batch.labels)[0]

    def train_step(start, loss_sum):
        signal, labels = (
            values[start : start + task.batch_size] for values in (batch.signal, batch.labels)
        )
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels, logits=build_network(signal, task.dataset.classes, task.outputs)
            )
        # By default the gradients of an op wait for each other. On large this keeps a second core
        # idle for 15 % of the time.
        train_op = optimizer.minimize(
            tf.reduce_mean(losses), global_step, gate_gradients=optimizer.GATE_NONE
        )
        with tf.control_dependencies([train_op]):
            return start + task.batch_size, loss_sum + tf.reduce_sum(losses)

    _, loss_sum = tf.while_loop(
        lambda start, _: start < samples, train_step, [0, np.float32(0)], parallel_iterations=1
    )
    loss = loss_sum / tf.cast(samples, tf.float32)
    model = Model(
        batch, outputs, loss, tf.reduce_sum(sample_losses), gradients, loss.op, global_step
    )
    return model, tf.math.floordiv(samples - 1, task.batch_size) + 1
