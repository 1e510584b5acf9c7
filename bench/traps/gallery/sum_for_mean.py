"""The loss is the sum over a batch instead of the mean: its gradient is 32 times as large."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=14,
    name="sum_for_mean",
    change="the loss is the sum of the samples' losses instead of their mean",
    stage="loss",
    cause="sum_for_mean",
    source="https://www.tensorflow.org/api_docs/python/tf/keras/losses/Reduction",
    edits={
        "lowlevel": """
@@ train.py
-    loss = tf.reduce_mean(sample_losses)
+    loss = tf.reduce_sum(sample_losses)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    loss = tf.losses.sparse_softmax_cross_entropy(
+        labels=labels, logits=outputs, reduction=tf.losses.Reduction.SUM
+    )
""",
        "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
""",
    },
)
