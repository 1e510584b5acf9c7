"""What the benchmark sees of a training: reports of evaluations, and summaries."""

import numpy as np
import tensorflow.compat.v1 as tf

from bench.task import Evaluation, Observer, Probe, Task
from impl_lowlevel.input import Input


def counted(global_step: int, loss: float, labels: np.ndarray, outputs: np.ndarray) -> Evaluation:
    """Returns an evaluation. The predicted class is that of the largest output.

    `labels` are int64 [samples], `outputs` float32 [samples, classes].
    """
    predicted = outputs.argmax(axis=1)
    return Evaluation(
        global_step=global_step,
        accuracy=float(np.mean(predicted == labels)),
        loss=loss,
        true_positives=int(np.sum((predicted > 0) & (labels > 0))),
        true_negatives=int(np.sum((predicted == 0) & (labels == 0))),
        false_positives=int(np.sum((predicted > 0) & (labels == 0))),
        false_negatives=int(np.sum((predicted == 0) & (labels > 0))),
    )


class EpochReport:
    """Reports evaluations, each with the gradient norm and the outputs of the fixed batch."""

    def __init__(
        self, task: Task, observer: Observer, batch: Input, outputs: tf.Tensor, gradients: list
    ):
        self.observer = observer
        self.fetches = [tf.global_norm([gradient for gradient, _ in gradients]), outputs]
        probe = task.dataset.probe
        self.feed = {batch.signal: probe.signal, batch.labels: probe.labels}
        self.summaries = Summaries(task, gradients) if task.summaries else None

    def write(self, session: tf.Session, evaluation: Evaluation) -> None:
        if self.summaries:
            self.summaries.write(session, self.feed, evaluation)
        self.observer.evaluation(evaluation, Probe(*session.run(self.fetches, self.feed)))


class Summaries:
    """Writes TensorBoard summaries after every epoch: loss, accuracy, and the histogram of every
    variable and of its gradient on the fixed batch."""

    def __init__(self, task: Task, gradients: list):
        for gradient, variable in gradients:
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
