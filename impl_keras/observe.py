"""What the benchmark sees of a training: callbacks that report steps and evaluations."""

import tensorflow as tf

from bench.task import Evaluation, Observer, Probe, Task


class StepReport(tf.keras.callbacks.Callback):
    """Reports every step.

    The metrics are reset before each batch, so that `logs` has the loss of that batch. Otherwise
    Keras reports the mean over the epoch so far.
    """

    def __init__(self, observer: Observer):
        super().__init__()
        self.observer = observer

    def on_train_begin(self, logs=None):
        self.observer.begin()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.observer.step(logs["loss"])


class EpochReport(tf.keras.callbacks.Callback):
    """Evaluates after every epoch, and puts the results into `logs` for the callbacks that follow.

    A second model of the same layers evaluates. Metrics that are compiled into the trained model
    would also be updated in every training step, which the other two APIs do not do.
    """

    def __init__(self, task: Task, evaluation: tf.data.Dataset, observer: Observer):
        super().__init__()
        self.probe = task.dataset.probe
        self.evaluation = evaluation
        self.observer = observer

    def on_train_begin(self, logs=None):
        self.evaluator = tf.keras.Model(self.model.inputs, self.model.outputs)
        self.evaluator.compile(
            loss=self.model.loss,
            metrics=[
                tf.keras.metrics.SparseCategoricalAccuracy("accuracy"),
                TruePositives(name="true_positives"),
                TrueNegatives(name="true_negatives"),
                FalsePositives(name="false_positives"),
                FalseNegatives(name="false_negatives"),
            ],
        )

    def on_epoch_end(self, epoch, logs=None):
        results = self.evaluator.evaluate(self.evaluation, verbose=0, return_dict=True)
        logs.update({f"val_{name}": value for name, value in results.items()})
        outputs, gradients = gradients_on(self.probe, self.model)
        self.observer.evaluation(
            Evaluation(
                global_step=int(self.model.optimizer.iterations),
                accuracy=results["accuracy"],
                loss=results["loss"],
                true_positives=int(results["true_positives"]),
                true_negatives=int(results["true_negatives"]),
                false_positives=int(results["false_positives"]),
                false_negatives=int(results["false_negatives"]),
            ),
            Probe(float(tf.linalg.global_norm(gradients)), outputs.numpy()),
        )


class GradientHistograms(tf.keras.callbacks.Callback):
    """Writes the histogram of every variable's gradient on the fixed batch.

    The `TensorBoard` callback writes only those of the variables.
    """

    def __init__(self, task: Task):
        super().__init__()
        self.probe = task.dataset.probe
        self.writer = tf.summary.create_file_writer(str(task.model_dir / "gradients"))

    def on_epoch_end(self, epoch, logs=None):
        _, gradients = gradients_on(self.probe, self.model)
        with self.writer.as_default(step=epoch):
            for variable, gradient in zip(self.model.trainable_variables, gradients):
                tf.summary.histogram(f"gradient/{variable.name}", gradient)


def gradients_on(batch, model: tf.keras.Model):
    """Returns the outputs for a batch, and the gradient of its loss for every trainable
    variable."""
    with tf.GradientTape() as tape:
        outputs = model(batch.signal, training=False)
        loss = model.loss(batch.labels, outputs)
    return outputs, tape.gradient(loss, model.trainable_variables)


class OfLargerOutput:
    """Makes a counting metric take outputs in place of probabilities.

    The predicted class is that of the largest output.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, tf.argmax(y_pred, axis=-1), sample_weight)


class TruePositives(OfLargerOutput, tf.keras.metrics.TruePositives):
    """Counts samples of a positive class that are predicted as positive."""


class TrueNegatives(OfLargerOutput, tf.keras.metrics.TrueNegatives):
    """Counts samples of class 0 that are predicted as class 0."""


class FalsePositives(OfLargerOutput, tf.keras.metrics.FalsePositives):
    """Counts samples of class 0 that are predicted as positive."""


class FalseNegatives(OfLargerOutput, tf.keras.metrics.FalseNegatives):
    """Counts samples of a positive class that are predicted as class 0."""
