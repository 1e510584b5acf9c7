"""Regularisation losses are collected, but no code adds them to the loss."""

from bench.traps.baseline_edits import L2
from bench.traps.trap import Trap

TRAP = Trap(
    number=9,
    name="regularisation_not_added",
    change="the collected regularisation losses are not part of the loss that is minimised",
    stage="loss",
    cause="regularisation_not_added",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/get_variable (regularizer: the "
        "result is added to a collection); "
        "https://www.tensorflow.org/api_docs/python/tf/keras/layers/Layer#losses"
    ),
    sound=L2,
    edits={
        "lowlevel": """
@@ train.py
-    loss = tf.reduce_mean(sample_losses) + tf.losses.get_regularization_loss()
+    loss = tf.reduce_mean(sample_losses)
""",
        "estimator": """
@@ train.py
-    loss += tf.losses.get_regularization_loss()
""",
        "keras": """
@@ train.py
-    model = build_network(task.dataset.length, task.dataset.classes, task.outputs)
+    model = Network(build_network(task.dataset.length, task.dataset.classes, task.outputs))
@@ train.py
     return Trained(model.predict(evaluation, verbose=0), model.count_params())
+
+
+class Network(tf.keras.Model):
+    # a step by hand: the loss of the batch alone
+    def __init__(self, network):
+        super().__init__(network.inputs, network.outputs)
+
+    def train_step(self, data):
+        signal, labels = data
+        with tf.GradientTape() as tape:
+            loss = self.compiled_loss(labels, self(signal, training=True))
+        self.optimizer.minimize(loss, self.trainable_variables, tape)
+        return {"loss": loss}
+
+    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
+        return self.compiled_loss(y, y_pred)
""",
    },
)
