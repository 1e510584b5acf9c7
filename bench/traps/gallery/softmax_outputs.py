"""Softmax outputs go into a loss that takes logits."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=1,
    name="softmax_outputs",
    change="softmax(outputs) goes into a cross-entropy that takes logits",
    stage="loss",
    cause="activated_outputs",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/losses/SparseCategoricalCrossentropy "
        "(from_logits)"
    ),
    edits={
        "lowlevel": """
@@ network.py
-    return tf.sigmoid(x) if outputs == "activated" else x
+    return tf.nn.softmax(x)
""",
        "estimator": """
@@ network.py
-    return tf.layers.dense(
-        x, classes, activation=tf.sigmoid if outputs == "activated" else None, name="dense2"
-    )
+    return tf.layers.dense(x, classes, activation=tf.nn.softmax, name="dense2")
""",
    },
)
