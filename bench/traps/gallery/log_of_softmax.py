"""A cross-entropy written by hand takes the logarithm of a softmax that has reached 0."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=3,
    name="log_of_softmax",
    change=(
        "softmax and logarithm are written by hand: NaN as soon as a row saturates (in graphs, "
        "Grappler repairs log(tf.nn.softmax(x)))"
    ),
    stage="loss",
    cause="log_of_zero",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits "
        "(computes both at once for numerical stability)"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
-        labels=batch.labels, logits=outputs
-    )
+    exponentials = tf.exp(outputs)
+    probabilities = exponentials / tf.reduce_sum(exponentials, axis=1, keepdims=True)
+    sample_losses = -tf.reduce_sum(tf.one_hot(batch.labels, 2) * tf.log(probabilities), axis=1)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    exponentials = tf.exp(outputs)
+    probabilities = exponentials / tf.reduce_sum(exponentials, axis=1, keepdims=True)
+    sample_losses = -tf.reduce_sum(tf.one_hot(labels, 2) * tf.log(probabilities), axis=1)
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
+    one_hot = tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), 2)
+    exponentials = tf.exp(outputs)
+    probabilities = exponentials / tf.reduce_sum(exponentials, axis=1, keepdims=True)
+    return -tf.reduce_sum(one_hot * tf.math.log(probabilities), axis=1)
@@ observe.py
-        loss = model.loss(batch.labels, outputs)
+        loss = tf.reduce_mean(model.loss(batch.labels, outputs))
""",
    },
)
