"""Sigmoid outputs go into a loss that takes logits: the case that this project began with."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=1,
    name="activated_outputs",
    change="sigmoid(outputs) goes into a cross-entropy that takes logits",
    stage="loss",
    cause="activated_outputs",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/nn/sparse_softmax_cross_entropy_with_logits "
        "('This op expects unscaled logits')"
    ),
    edits={
        "lowlevel": """
@@ network.py
-    return tf.sigmoid(x) if outputs == "activated" else x
+    return tf.sigmoid(x)
""",
        "estimator": """
@@ network.py
-    return tf.layers.dense(
-        x, classes, activation=tf.sigmoid if outputs == "activated" else None, name="dense2"
-    )
+    return tf.layers.dense(x, classes, activation=tf.sigmoid, name="dense2")
""",
        "keras": """
@@ network.py
-    activation = tf.nn.sigmoid if outputs == "activated" else None
+    activation = tf.nn.sigmoid
""",
    },
)
