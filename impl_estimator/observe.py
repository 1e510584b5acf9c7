"""What the benchmark sees of a training: hooks and an exporter that report it."""

import tensorflow.compat.v1 as tf

from bench.task import Evaluation, Observer, Probe, Task


class StepReport(tf.train.SessionRunHook):
    """Reports every training step."""

    def __init__(self, observer: Observer):
        self.observer = observer

    def begin(self):
        self.loss = tf.get_collection(tf.GraphKeys.LOSSES)[-1]  # what Estimator minimises is last

    def after_create_session(self, session, coord):
        self.observer.begin()

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(self.loss)

    def after_run(self, run_context, run_values):
        self.observer.step(float(run_values.results))


class ProbeHook(tf.train.SessionRunHook):
    """Feeds the fixed batch into the graph of the evaluation, after the evaluation itself."""

    def __init__(self, task: Task):
        self.batch = task.dataset.probe

    def watch(self, features, labels, outputs, gradients):
        self.feed = {features: self.batch.signal, labels: self.batch.labels}
        self.fetches = [tf.global_norm([gradient for gradient, _ in gradients]), outputs]

    def end(self, session):
        self.probe = Probe(*session.run(self.fetches, self.feed))


class EpochReport(tf.estimator.Exporter):
    """Reports every evaluation. `train_and_evaluate` hands its results to an exporter."""

    name = "report"

    def __init__(self, watched: ProbeHook, observer: Observer):
        self.watched = watched
        self.observer = observer

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        self.observer.evaluation(
            Evaluation(
                global_step=int(eval_result["global_step"]),
                accuracy=float(eval_result["accuracy"]),
                loss=float(eval_result["average_loss"]),
                true_positives=int(eval_result["true_positives"]),
                true_negatives=int(eval_result["true_negatives"]),
                false_positives=int(eval_result["false_positives"]),
                false_negatives=int(eval_result["false_negatives"]),
            ),
            self.watched.probe,
        )
