"""TensorFlow's `l2_loss` is half the sum of squares; Keras's `L2` is the whole sum."""

from bench.traps.baseline_edits import L2
from bench.traps.trap import Trap

TRAP = Trap(
    number=9,
    name="regularisation_halved",
    change="l2_loss, half the sum of squares, is used instead of the whole sum (or the reverse)",
    stage="loss",
    cause="regularisation_factor_two",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/nn/l2_loss (sum(t ** 2) / 2); "
        "https://www.tensorflow.org/api_docs/python/tf/keras/regularizers/L2"
    ),
    sound=L2,
    edits={
        "lowlevel": """
@@ network.py
-    return 0.001 * tf.reduce_sum(tf.square(kernel))
+    return 0.001 * tf.nn.l2_loss(kernel)
""",
        "estimator": """
@@ network.py
-    return 0.001 * tf.reduce_sum(tf.square(kernel))
+    return 0.001 * tf.nn.l2_loss(kernel)
""",
        "keras": """
@@ network.py
 import tensorflow as tf
+
+
+def l2(kernel):
+    return 0.001 * tf.nn.l2_loss(kernel)
@@ network.py
                 name="conv1",
-                kernel_regularizer=tf.keras.regularizers.L2(0.001),
+                kernel_regularizer=l2,
@@ network.py
                 name="conv2",
-                kernel_regularizer=tf.keras.regularizers.L2(0.001),
+                kernel_regularizer=l2,
""",
    },
)
