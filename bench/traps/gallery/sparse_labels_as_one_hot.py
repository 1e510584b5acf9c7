"""Whole-number labels are broadcast over the classes by a loss that takes one-hot labels."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=5,
    name="sparse_labels_as_one_hot",
    change="labels [batch, 1] go into a cross-entropy of one-hot labels, which broadcasts them",
    stage="loss",
    cause="broadcast_labels",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits "
        "(labels: each row must be a valid probability distribution)"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
-        labels=batch.labels, logits=outputs
-    )
+    labels = tf.cast(batch.labels, tf.float32)[:, tf.newaxis]
+    sample_losses = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=outputs)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    column = tf.cast(labels, tf.float32)[:, tf.newaxis]
+    sample_losses = tf.nn.softmax_cross_entropy_with_logits(labels=column, logits=outputs)
+    loss = tf.losses.compute_weighted_loss(sample_losses)
""",
        "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=cross_entropy,
@@ train.py
     return Trained(model.predict(evaluation, verbose=0), model.count_params())
+
+
+def cross_entropy(labels, outputs):
+    return tf.nn.softmax_cross_entropy_with_logits(
+        tf.cast(tf.reshape(labels, [-1, 1]), tf.float32), outputs
+    )
@@ observe.py
-        loss = model.loss(batch.labels, outputs)
+        loss = tf.reduce_mean(model.loss(batch.labels, outputs))
""",
    },
)
