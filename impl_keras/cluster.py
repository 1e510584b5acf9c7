"""Training with `fit` on several machines or GPUs: a distribution strategy, datasets that are
divided among the workers, and checkpoints to go on from."""

from __future__ import annotations

import contextlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from bench.task import Observer, Task, Trained, UserError, end_after
from impl_keras.input import batch_parser, evaluation_dataset, training_records
from impl_keras.network import build_network
from impl_keras.observe import EpochReport, StepReport
from impl_keras.train import build_optimizer

VERSION_BYTES = 32


def train(task: Task, observer: Observer) -> Trained | None:
    """Trains together with the other workers that `TF_CONFIG` names; each of them calls this
    function. Without `TF_CONFIG`, trains on all GPUs of this machine.

    The chief evaluates after every epoch, and predicts the evaluation split. The others return
    None. Training goes on from the last checkpoint in `task.model_dir`.

    Raises:
        UserError: The workers have different versions of TensorFlow, see different checkpoints,
            or have different options.
        tf.errors.UnavailableError: Another worker has died.
    """
    strategy = build_strategy(task)
    compare(strategy, "run different versions of TensorFlow", tf.version.VERSION)
    with strategy.scope():
        model = build_model(task)
        # Makes the optimizer's variables, so that they are restored before the first step.
        model.optimizer.build(model.trainable_variables)
    # By default Keras adds up losses that are already the mean over all workers.
    model.distribute_reduction_method = "first"
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    checkpoint.restore(tf.train.latest_checkpoint(str(task.model_dir)))
    done = int(model.optimizer.iterations.numpy())
    compare(
        strategy,
        "would do different steps: they need the same options, and one folder for checkpoints that "
        "all see",
        f"{done}-{task.steps}",
    )

    def local_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        return shared_dataset(
            task, context.num_replicas_in_sync, context.input_pipeline_id * count, count, done
        )

    is_chief = strategy.extended.should_checkpoint
    report = build_report(task, observer) if is_chief else None
    # All workers must take part in saving, but only the chief may write to `task.model_dir`.
    with tempfile.TemporaryDirectory() as elsewhere:
        manager = tf.train.CheckpointManager(
            checkpoint, str(task.model_dir) if is_chief else elsewhere, max_to_keep=None
        )
        if done < task.steps:
            model.fit(
                strategy.distribute_datasets_from_function(local_dataset),
                # One epoch for `fit`, which cannot begin in the middle of an epoch.
                steps_per_epoch=task.steps - done,
                callbacks=[LocalStepReport(observer), EpochEnd(task, manager, report)],
                verbose=0,
            )
    if report:
        report.model.set_weights(model.get_weights())
        return Trained(report.model.predict(report.evaluation, verbose=0), model.count_params())
    return None


def shared_dataset(task: Task, replicas: int, first: int, count: int, skip: int) -> tf.data.Dataset:
    """Returns (signal, label, weight) of the same batches in the same order, without end, from
    batch `skip` on. Every batch is divided into shares, one for each of its `replicas`. The
    elements are the shares of `count` replicas, from replica `first` on, one after the other.

    Share i has the samples i, i + replicas, ... of the batch, which is filled up with samples of
    weight 0. With the weights, float32 [samples], the mean over all shares of mean(weight * loss)
    is the mean over the batch. Records are divided before they are parsed.
    """
    tf.random.set_seed(task.seed)
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

    shares = records.flat_map(deal).map(lambda examples, weights: (*parse(examples), weights))
    # Otherwise the workers would ask each other in every step whether all have another share.
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return shares.apply(endless).prefetch(2)


def build_model(task: Task) -> tf.keras.Model:
    model = build_network(task.dataset.length, task.dataset.classes, task.outputs)
    model.set_weights(list(task.initial_weights().values()))
    model.compile(
        optimizer=build_optimizer(task),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def build_report(task: Task, observer: Observer) -> EpochReport:
    """Returns a report that evaluates a copy of the model without a strategy. With one, all workers
    would have to take part in the evaluation."""
    report = EpochReport(task, evaluation_dataset(task.dataset.evaluation, task), observer)
    report.set_model(build_model(task))
    report.on_train_begin()
    return report


def build_strategy(task: Task) -> tf.distribute.Strategy:
    if "TF_CONFIG" not in os.environ:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    with end_after(task.peer_timeout_s, "not all members of the cluster have come"):
        return tf.distribute.MultiWorkerMirroredStrategy()


def compare(strategy: tf.distribute.Strategy, complaint: str, value: str) -> None:
    """Raises UserError if `value` is not the same for all workers; says which worker has which
    value."""
    if "TF_CONFIG" not in os.environ:
        return

    @tf.function
    def gather():
        own = tf.constant([list(value.encode().ljust(VERSION_BYTES))], tf.int32)
        return tf.distribute.get_replica_context().all_gather(own, axis=0)

    rows = strategy.experimental_local_results(strategy.run(gather))[0].numpy()
    values = [bytes(row.tolist()).decode().strip() for row in rows]
    cluster = strategy.cluster_resolver.cluster_spec()
    members = [
        f"{job} {index}" for job in sorted(cluster.jobs) for index in cluster.task_indices(job)
    ]
    values = values[:: len(values) // len(members)]
    if len(set(values)) > 1:
        with contextlib.suppress(tf.errors.OpError):
            strategy.run(gather)  # no worker ends before all have the values
        raise UserError(
            f"the workers {complaint}: " + ", ".join(map(" ".join, zip(members, values)))
        )


class LocalStepReport(StepReport):
    """Resets the metrics of each replica inside the strategy.

    Outside of it, Keras first adds up over all workers the values that it then overwrites. It does
    so outside of its compiled step, and this takes longer than the step.
    """

    def on_train_begin(self, logs=None):
        strategy = self.model.distribute_strategy
        self.reset = tf.function(lambda: strategy.run(self.model.reset_metrics))
        super().on_train_begin(logs)

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.metrics:  # these are made in the first step
            self.reset()


class EpochEnd(tf.keras.callbacks.Callback):
    """Saves when `task` says so. After every epoch, `report`, if there is one, evaluates its own
    model."""

    def __init__(self, task: Task, manager: tf.train.CheckpointManager, report: EpochReport | None):
        super().__init__()
        self.task = task
        self.manager = manager
        self.report = report

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        epoch, rest = divmod(step, self.task.steps_per_epoch)
        if not rest or (self.task.checkpoint_steps and step % self.task.checkpoint_steps == 0):
            self.manager.save(step)
        if self.report and not rest:
            self.report.model.set_weights(self.model.get_weights())
            self.report.model.optimizer.iterations.assign(step)
            # Other models do not run in the scope of the strategy, which is only that of this
            # thread.
            with ThreadPoolExecutor(1) as outside:
                outside.submit(self.report.on_epoch_end, epoch, {}).result()
