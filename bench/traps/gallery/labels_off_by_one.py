"""1 is subtracted from labels that already count from 0: one class has no row of one_hot."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=20,
    name="labels_off_by_one",
    change="one_hot(labels - 1): class 1 is learnt as class 0, and class 0 has a loss of 0",
    stage="loss",
    cause="shifted_labels",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/one_hot (an index out of range gives a row "
        "of zeros)"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
-        labels=batch.labels, logits=outputs
-    )
+    one_hot = tf.one_hot(batch.labels - 1, 2)
+    sample_losses = tf.nn.softmax_cross_entropy_with_logits(labels=one_hot, logits=outputs)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    loss = tf.losses.softmax_cross_entropy(tf.one_hot(labels - 1, 2), outputs)
""",
        "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=CrossEntropy(from_logits=True),
@@ train.py
     return Trained(model.predict(evaluation, verbose=0), model.count_params())
+
+
+class CrossEntropy(tf.keras.losses.CategoricalCrossentropy):
+    def call(self, y_true, y_pred):
+        return super().call(tf.one_hot(tf.cast(tf.reshape(y_true, [-1]), tf.int32) - 1, 2), y_pred)
""",
    },
)
