"""`tf.truncated_normal` has a standard deviation of 1.0.

Keras's `TruncatedNormal` has 0.05; Glorot's initialiser adapts it to the layer.
"""

from bench.traps.trap import Trap

TRAP = Trap(
    number=15,
    name="truncated_normal",
    change="kernels are drawn from truncated_normal with its default standard deviation of 1.0",
    stage="initial weights",
    cause="initialiser_too_wide",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/truncated_normal_initializer "
        "(stddev=1.0); "
        "https://www.tensorflow.org/api_docs/python/tf/keras/initializers/TruncatedNormal "
        "(stddev=0.05)"
    ),
    edits={
        "lowlevel": """
@@ network.py
-        kernel = tf.get_variable("kernel", [kernel_size, x.shape[-1], filters])
-        bias = tf.get_variable("bias", [filters])
+        kernel = tf.get_variable(
+            "kernel",
+            [kernel_size, x.shape[-1], filters],
+            initializer=tf.truncated_normal_initializer(),
+        )
+        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
@@ network.py
-        kernel = tf.get_variable("kernel", [x.shape[-1], units])
-        bias = tf.get_variable("bias", [units])
+        kernel = tf.get_variable(
+            "kernel", [x.shape[-1], units], initializer=tf.truncated_normal_initializer()
+        )
+        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
@@ train.py
-            load_weights(task, session)
""",
        "estimator": """
@@ network.py
     x = signal[:, :, tf.newaxis]
+    tf.get_variable_scope().set_initializer(tf.truncated_normal_initializer())
@@ train.py
-    scaffold = tf.train.Scaffold(init_fn=functools.partial(load_weights, task))
-    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, scaffold=scaffold)
+    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)
""",
        "keras": """
@@ network.py
 import tensorflow as tf
+
+WIDE = tf.keras.initializers.TruncatedNormal(stddev=1.0)
@@ network.py
-                16, kernel_size=16, strides=4, padding="same", activation="relu", name="conv1"
+                16,
+                kernel_size=16,
+                strides=4,
+                padding="same",
+                activation="relu",
+                kernel_initializer=WIDE,
+                name="conv1",
@@ network.py
-                32, kernel_size=16, strides=2, padding="same", activation="relu", name="conv2"
+                32,
+                kernel_size=16,
+                strides=2,
+                padding="same",
+                activation="relu",
+                kernel_initializer=WIDE,
+                name="conv2",
@@ network.py
-            layers.Dense(64, activation="relu", name="dense1"),
+            layers.Dense(64, activation="relu", kernel_initializer=WIDE, name="dense1"),
-            layers.Dense(classes, activation=activation, name="dense2"),
+            layers.Dense(classes, activation=activation, kernel_initializer=WIDE, name="dense2"),
@@ train.py
-    model.set_weights(list(task.initial_weights().values()))
""",
    },
)
