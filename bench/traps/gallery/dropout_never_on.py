"""`training` is left at False, so that dropout never drops anything."""

from bench.traps.baseline_edits import DROPOUT
from bench.traps.trap import Trap

TRAP = Trap(
    number=7,
    name="dropout_never_on",
    change="dropout always runs in evaluation mode",
    stage="forward",
    cause="mode_not_passed",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/dropout (training=False "
        "is the default)"
    ),
    sound=DROPOUT,
    edits={
        "lowlevel": """
@@ train.py
-                        [model.train_op, model.loss],
-                        {model.input.handle: training, "training:0": True},
+                        [model.train_op, model.loss], {model.input.handle: training}
""",
        "estimator": """
@@ network.py
-    x = tf.layers.dropout(x, rate=0.2, training=training)
+    x = tf.layers.dropout(x, rate=0.2)
""",
        "keras": """
@@ network.py
 import tensorflow as tf
+
+
+class Dropout(tf.keras.layers.Dropout):
+    def call(self, inputs, training=None):
+        return super().call(inputs, training=False)
@@ network.py
-        layers.Dropout(0.2),
+        Dropout(0.2),
""",
    },
)
