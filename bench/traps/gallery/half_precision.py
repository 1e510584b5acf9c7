"""A layer computes in half precision: 11 significant bits of each number are left."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=24,
    name="half_precision",
    change="dense1, or its input, is in float16",
    stage="forward",
    cause="low_precision",
    source=(
        "https://www.tensorflow.org/guide/mixed_precision; "
        "https://www.tensorflow.org/api_docs/python/tf/config/experimental/"
        "enable_tensor_float_32_execution"
    ),
    edits={
        "lowlevel": """
@@ network.py
-        return tf.nn.bias_add(tf.matmul(x, kernel), bias)
+        product = tf.matmul(tf.cast(x, tf.float16), tf.cast(kernel, tf.float16))
+        return tf.nn.bias_add(tf.cast(product, tf.float32), bias)
""",
        "estimator": """
@@ network.py
     x = tf.layers.flatten(x)
+    x = tf.cast(tf.cast(x, tf.float16), tf.float32)
""",
        "keras": """
@@ network.py
-            layers.Dense(64, activation="relu", name="dense1"),
+            layers.Dense(64, activation="relu", name="dense1", dtype="mixed_float16"),
-            layers.Dense(classes, activation=activation, name="dense2"),
+            layers.Dense(classes, activation=activation, name="dense2", dtype="float32"),
""",
    },
)
