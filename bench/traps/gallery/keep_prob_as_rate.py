"""TensorFlow 1's `keep_prob` is passed as `rate`, which is 1 - keep_prob."""

from bench.traps.baseline_edits import DROPOUT
from bench.traps.trap import Trap

TRAP = Trap(
    number=7,
    name="keep_prob_as_rate",
    change="a keep_prob of 0.8 is passed as rate: four fifths of the values are dropped",
    stage="forward",
    cause="dropout_rate_inverted",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/nn/dropout (keep_prob is "
        "deprecated: rate = 1 - keep_prob)"
    ),
    sound=DROPOUT,
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.dropout(x, rate=tf.where(training, 0.2, 0.0))
+    x = tf.nn.dropout(x, rate=tf.where(training, 0.8, 0.0))
""",
        "estimator": """
@@ network.py
-    x = tf.layers.dropout(x, rate=0.2, training=training)
+    x = tf.layers.dropout(x, rate=0.8, training=training)
""",
        "keras": """
@@ network.py
-        layers.Dropout(0.2),
+        layers.Dropout(0.8),
""",
    },
)
