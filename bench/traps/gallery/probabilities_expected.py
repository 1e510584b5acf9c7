"""Logits go into a loss that takes probabilities."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=2,
    name="probabilities_expected",
    change=(
        "logits go into a cross-entropy that takes probabilities (from_logits left False, or a "
        "hand-written log)"
    ),
    stage="loss",
    cause="probabilities_expected",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/losses/SparseCategoricalCrossentropy "
        "(from_logits=False is the default)"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
-        labels=batch.labels, logits=outputs
-    )
+    right = tf.reduce_sum(tf.one_hot(batch.labels, 2) * outputs, axis=1)
+    sample_losses = -tf.log(tf.clip_by_value(right, 1e-7, 1.0))
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    right = tf.reduce_sum(tf.one_hot(labels, 2) * outputs, axis=1)
+    loss = tf.losses.compute_weighted_loss(-tf.log(tf.clip_by_value(right, 1e-7, 1.0)))
""",
        "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=tf.keras.losses.SparseCategoricalCrossentropy(),
""",
    },
)
