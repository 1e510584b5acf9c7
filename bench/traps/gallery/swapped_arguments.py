"""Labels and logits are swapped in the loss, and no error is raised."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=4,
    name="swapped_arguments",
    change="labels and logits of a cross-entropy are swapped",
    stage="loss",
    cause="swapped_arguments",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits "
        "(labels first by keyword; Keras calls loss(y_true, y_pred))"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
-        labels=batch.labels, logits=outputs
-    )
+    one_hot = tf.one_hot(batch.labels, 2)
+    sample_losses = tf.nn.softmax_cross_entropy_with_logits_v2(outputs, one_hot)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    one_hot = tf.one_hot(labels, 2)
+    sample_losses = tf.nn.softmax_cross_entropy_with_logits_v2(outputs, one_hot)
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
+def cross_entropy(outputs, labels):
+    one_hot = tf.one_hot(tf.cast(tf.reshape(outputs, [-1]), tf.int32), 2)
+    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=one_hot)
@@ observe.py
-        loss = model.loss(batch.labels, outputs)
+        loss = tf.reduce_mean(model.loss(batch.labels, outputs))
""",
    },
)
