"""Training with Estimator on several machines or GPUs: `RunConfig` has a strategy, and a hook of
the chief evaluates."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import threading
import time

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained, UserError, end_after
from impl_estimator.input import batch_parser, evaluation_input, training_records
from impl_estimator.network import build_network
from impl_estimator.observe import EpochReport, ProbeHook, StepReport
from impl_estimator.train import build_optimizer, count_parameters
from impl_estimator.train import model_fn as default_model_fn

TEXT_BYTES = 64


def train(task: Task, observer: Observer) -> Trained | None:
    """Trains together with the other workers that `TF_CONFIG` names; each of them calls this
    function. Without `TF_CONFIG`, trains on all GPUs of this machine.

    The chief evaluates after every epoch, and predicts the evaluation split. The others return
    None. Training goes on from the last checkpoint in `task.model_dir`.

    Raises:
        UserError: The workers have different versions of TensorFlow, see different checkpoints,
            or have different options.
        ConnectionError: Another worker has died.
    """
    strategy = build_strategy(task)
    watched = ProbeHook(task)
    estimator = tf.estimator.Estimator(
        functools.partial(model_fn, watched=watched),
        config=tf.estimator.RunConfig(
            model_dir=str(task.model_dir),
            tf_random_seed=task.seed,
            train_distribute=strategy,
            save_checkpoints_steps=None,  # `EpochEnd` saves
            save_checkpoints_secs=None,
            save_summary_steps=None,
            log_step_count_steps=None,
        ),
        params={"task": task},
    )
    done = int(estimator.get_variable_value("global_step")) if estimator.latest_checkpoint() else 0

    def local_input(input_context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = input_context.num_replicas_in_sync // input_context.num_input_pipelines
        return shared_dataset(
            task,
            input_context.num_replicas_in_sync,
            input_context.input_pipeline_id * count,
            count,
            done,
        )

    is_chief = strategy.extended.should_checkpoint
    evaluate = functools.partial(evaluation_input, task.dataset.evaluation, task)
    hooks = [Comparison(done, task.steps), StepReport(observer)]
    if is_chief:
        hooks.append(EpochEnd(task, estimator, evaluate, EpochReport(watched, observer)))
    # With `TF_CONFIG`, `Estimator.train` is refused, and `train_and_evaluate` does not evaluate.
    if "TF_CONFIG" in os.environ:
        with Patience(task, done) as patience:
            training = tf.estimator.TrainSpec(
                local_input, max_steps=task.steps, hooks=[patience, *hooks]
            )
            tf.estimator.train_and_evaluate(estimator, training, tf.estimator.EvalSpec(evaluate))
    else:
        estimator.train(local_input, max_steps=task.steps, hooks=hooks)
    if is_chief:
        batches = estimator.predict(evaluate, yield_single_examples=False)
        outputs = np.concatenate([batch["outputs"] for batch in batches])
        return Trained(outputs, count_parameters(estimator))
    return None


def build_strategy(task: Task) -> tf.distribute.Strategy:
    if "TF_CONFIG" not in os.environ:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        # The default, collective operations, is for eager mode: in a session it may wait for ever.
        return tf.distribute.MirroredStrategy(
            [device.name for device in devices], tf.distribute.ReductionToOneDevice()
        )
    with end_after(task.peer_timeout_s, "not all members of the cluster have come"):
        return tf.distribute.experimental.MultiWorkerMirroredStrategy()


def shared_dataset(task: Task, replicas: int, first: int, count: int, skip: int) -> tf.data.Dataset:
    """Returns ({signal, weight}, label) of the same batches in the same order, without end, from
    batch `skip` on. Every batch is divided into shares, one for each of its `replicas`. The
    elements are the shares of `count` replicas, from replica `first` on, one after the other.

    Share i has the samples i, i + replicas, ... of the batch, which is filled up with samples of
    weight 0. With the weights, float32 [samples], the mean over all shares of mean(weight * loss)
    is the mean over the batch. Records are divided before they are parsed.
    """
    records = (
        training_records(task)
        .shuffle(task.shuffle_buffer, seed=task.seed)
        .batch(task.batch_size)
        .repeat()
        .skip(skip)
    )
    parse = batch_parser(task)

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


def model_fn(features, labels, mode, params, watched):
    """Builds, for training, the network for the share of one replica, whose features have weights.
    Other modes are as in the default profile."""
    if mode != tf.estimator.ModeKeys.TRAIN:
        return default_model_fn(features, labels, mode, params, watched)
    task = params["task"]
    outputs = build_network(features["signal"], task.dataset.classes, task.outputs)
    loss = tf.losses.sparse_softmax_cross_entropy(
        labels=labels,
        logits=outputs,
        weights=features["weight"],
        reduction=tf.losses.Reduction.SUM_OVER_BATCH_SIZE,
    )
    train_op = build_optimizer(task).minimize(loss, tf.train.get_global_step())
    scaffold = tf.train.Scaffold(init_fn=functools.partial(load_weights, task))
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, scaffold=scaffold)


def load_weights(task: Task, scaffold: tf.train.Scaffold, session: tf.Session) -> None:
    weights = task.initial_weights()
    for variable in tf.trainable_variables():
        for copy in tf.distribute.get_strategy().experimental_local_results(variable):
            copy.load(weights[variable.op.name], session)


class Comparison(tf.train.SessionRunHook):
    """Raises UserError if the workers have different versions of TensorFlow or would do different
    steps; says which worker has what.

    Raises ConnectionError if a second session begins: that session would wait for a worker that has
    died.
    """

    def __init__(self, done: int, steps: int):
        self.own = f"TensorFlow {tf.version.VERSION} and steps {done}-{steps}"
        self.is_done = False

    def begin(self):
        # In the training graph: the collective operations of an earlier graph would get the same
        # numbers as those of the training.
        def gather():
            context = tf.distribute.get_replica_context()
            place = tf.one_hot(
                context.replica_id_in_sync_group, context.num_replicas_in_sync, dtype=tf.int32
            )
            own = tf.constant(list(self.own.encode().ljust(TEXT_BYTES)), tf.int32)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, place[:, tf.newaxis] * own)

        strategy = tf.distribute.get_strategy()
        self.texts = strategy.experimental_local_results(strategy.run(gather))[0]

    def after_create_session(self, session, coord):
        if self.is_done:
            raise ConnectionError("another worker has died")
        self.is_done = True
        texts = [bytes(row).decode().strip() for row in session.run(self.texts).tolist()]
        if len(set(texts)) > 1:
            cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
            members = [
                f"{job} {index}"
                for job in sorted(cluster.jobs)
                for index in cluster.task_indices(job)
            ]
            texts = texts[:: len(texts) // len(members)]
            with contextlib.suppress(tf.errors.OpError):
                session.run(self.texts)  # no worker ends before all have the texts
            raise UserError(
                "all workers need the same version of TensorFlow, options, and folder of "
                "checkpoints: "
                + "; ".join(f"{member} has {text}" for member, text in zip(members, texts))
            )


class Patience(tf.train.SessionRunHook):
    """Ends this process, with a line on standard error, if a step takes longer than workers wait
    for each other.

    A session does not notice a machine that is gone without closing its connections. The first
    step, and the step after an evaluation, may take ten times as long.
    """

    def __init__(self, task: Task, done: int):
        self.task = task
        self.first = self.step = done
        self.deadline = math.inf
        self.is_over = threading.Event()

    def __enter__(self):
        threading.Thread(target=self.watch, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.is_over.set()

    def before_run(self, run_context):
        is_long = self.step == self.first or self.step % self.task.steps_per_epoch == 0
        self.deadline = time.monotonic() + self.task.peer_timeout_s * (10 if is_long else 1)

    def after_run(self, run_context, run_values):
        self.step += 1
        self.deadline = math.inf

    def watch(self):
        while not self.is_over.wait(1):
            if time.monotonic() > self.deadline:
                print(
                    f"error: another worker has not answered for {self.task.peer_timeout_s} s",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)


class EpochEnd(tf.train.SessionRunHook):
    """Saves when `task` says so, and evaluates after every epoch."""

    def __init__(
        self, task: Task, estimator: tf.estimator.Estimator, evaluate, report: EpochReport
    ):
        self.task = task
        self.estimator = estimator
        self.evaluate = evaluate
        self.report = report

    def after_create_session(self, session, coord):
        self.step = int(session.run(tf.train.get_global_step()))
        # With a checkpoint, a worker that has lost another one comes as far as to the hooks.
        if not self.step:
            self.save(session)

    def after_run(self, run_context, run_values):
        self.step += 1
        is_end = self.step % self.task.steps_per_epoch == 0
        if is_end or (self.task.checkpoint_steps and self.step % self.task.checkpoint_steps == 0):
            saved = self.save(run_context.session)
            if is_end:
                results = self.estimator.evaluate(self.evaluate, checkpoint_path=saved)
                self.report.export(
                    self.estimator, None, saved, results, self.step == self.task.steps
                )

    def save(self, session: tf.Session) -> str:
        saver = tf.get_collection(tf.GraphKeys.SAVERS)[0]
        return saver.save(session, str(self.task.model_dir / "model.ckpt"), self.step)
