"""Dropout stays on when the network is evaluated and when it predicts."""

from bench.traps.baseline_edits import DROPOUT
from bench.traps.trap import Trap

TRAP = Trap(
    number=7,
    name="dropout_in_evaluation",
    change="dropout always runs in training mode",
    stage="forward",
    cause="dropout_in_evaluation",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/nn/dropout (which has no "
        "training argument)"
    ),
    sound=DROPOUT,
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.dropout(x, rate=tf.where(training, 0.2, 0.0))
+    x = tf.nn.dropout(x, rate=0.2)
""",
        "estimator": """
@@ network.py
-    x = tf.layers.dropout(x, rate=0.2, training=training)
+    x = tf.layers.dropout(x, rate=0.2, training=True)
""",
        "keras": """
@@ network.py
-        layers.Dropout(0.2),
+        layers.Lambda(lambda x: tf.nn.dropout(x, 0.2)),
""",
    },
)
