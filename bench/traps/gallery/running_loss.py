"""The loss that `fit` shows is the mean over the epoch so far, not the loss of the last batch."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=22,
    name="running_loss",
    change="Keras's logs['loss'] is reported as the loss of the step",
    stage="metrics",
    cause="running_loss",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/Model#fit (metrics are averaged over "
        "the epoch so far)"
    ),
    edits={
        "keras": """
@@ observe.py
-
-    def on_train_batch_begin(self, batch, logs=None):
-        self.model.reset_metrics()
""",
    },
)
