"""Keras's default padding is 'valid', which drops the values that do not fill a window."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=16,
    name="valid_padding",
    change="pool2 has padding 'valid' instead of 'same'",
    stage="variables",
    cause="padding_or_stride",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/layers/MaxPool1D (padding='valid' is "
        "the default)"
    ),
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.max_pool1d(x, ksize=4, strides=4, padding="SAME", name="pool2")
+    x = tf.nn.max_pool1d(x, ksize=4, strides=4, padding="VALID", name="pool2")
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if weights[variable.op.name].shape == variable.shape:
+            variable.load(weights[variable.op.name], session)
""",
        "estimator": """
@@ network.py
-    x = tf.layers.max_pooling1d(x, pool_size=4, strides=4, padding="same", name="pool2")
+    x = tf.layers.max_pooling1d(x, pool_size=4, strides=4, padding="valid", name="pool2")
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if weights[variable.op.name].shape == variable.shape:
+            variable.load(weights[variable.op.name], session)
""",
        "keras": """
@@ network.py
-        layers.MaxPool1D(pool_size=4, strides=4, padding="same", name="pool2"),
+        layers.MaxPool1D(pool_size=4, strides=4, name="pool2"),
@@ train.py
-    model.set_weights(list(task.initial_weights().values()))
+    for variable, value in zip(model.weights, task.initial_weights().values()):
+        if variable.shape == value.shape:
+            variable.assign(value)
""",
    },
)
