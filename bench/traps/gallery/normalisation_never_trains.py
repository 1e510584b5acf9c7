"""Batch normalisation is never in training mode: it uses and keeps its initial statistics."""

from bench.traps.baseline_edits import BATCH_NORM
from bench.traps.trap import Trap

TRAP = Trap(
    number=6,
    name="normalisation_never_trains",
    change="batch normalisation is called with training=False in training",
    stage="forward",
    cause="mode_not_passed",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/layers/BatchNormalization; "
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/batch_normalization "
        "(training=False is the default)"
    ),
    sound=BATCH_NORM,
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.relu(batch_norm(x, training, name="norm1"))
+    x = tf.nn.relu(batch_norm(x, tf.constant(False), name="norm1"))
""",
        "estimator": """
@@ network.py
-    x = tf.nn.relu(tf.layers.batch_normalization(x, training=training, fused=False, name="norm1"))
+    x = tf.nn.relu(tf.layers.batch_normalization(x, fused=False, name="norm1"))
""",
        "keras": """
@@ network.py
 import tensorflow as tf
+
+
+class BatchNormalization(tf.keras.layers.BatchNormalization):
+    def call(self, inputs, training=None):
+        return super().call(inputs, training=False)
@@ network.py
-        layers.BatchNormalization(name="norm1"),
+        BatchNormalization(name="norm1"),
""",
    },
)
