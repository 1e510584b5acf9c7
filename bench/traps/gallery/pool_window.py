"""A pooling window has a size of 2 and a stride of 4: half of the values are not used."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=16,
    name="pool_window",
    change="pool1 has windows of 2 instead of 4; its stride is unchanged",
    stage="forward",
    cause="padding_or_stride",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/layers/MaxPool1D (pool_size=2 is the "
        "default)"
    ),
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.max_pool1d(x, ksize=4, strides=4, padding="SAME", name="pool1")
+    x = tf.nn.max_pool1d(x, ksize=2, strides=4, padding="SAME", name="pool1")
""",
        "estimator": """
@@ network.py
-    x = tf.layers.max_pooling1d(x, pool_size=4, strides=4, padding="same", name="pool1")
+    x = tf.layers.max_pooling1d(x, pool_size=2, strides=4, padding="same", name="pool1")
""",
        "keras": """
@@ network.py
-        layers.MaxPool1D(pool_size=4, strides=4, padding="same", name="pool1"),
+        layers.MaxPool1D(strides=4, padding="same", name="pool1"),
""",
    },
)
