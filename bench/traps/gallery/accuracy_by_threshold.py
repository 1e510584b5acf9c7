"""The accuracy is computed as if the outputs were probabilities, but they are logits."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=8,
    name="accuracy_by_threshold",
    change="class 1 is predicted where its logit is above 0.5",
    stage="metrics",
    cause="accuracy_by_threshold",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/metrics/BinaryAccuracy (threshold=0.5)"
    ),
    edits={
        "lowlevel": """
@@ observe.py
-    predicted = outputs.argmax(axis=1)
+    predicted = (outputs[:, 1] > 0.5).astype(int)
""",
        "estimator": """
@@ train.py
-    predicted = tf.argmax(outputs, axis=1)
+    predicted = tf.cast(outputs[:, 1] > 0.5, tf.int64)
""",
        "keras": """
@@ observe.py
-            tf.keras.metrics.SparseCategoricalAccuracy("accuracy"),
+            BinaryAccuracy(name="accuracy"),
@@ observe.py
     return outputs, tape.gradient(loss, model.trainable_variables)


+class BinaryAccuracy(tf.keras.metrics.BinaryAccuracy):
+    def update_state(self, y_true, y_pred, sample_weight=None):
+        return super().update_state(y_true, y_pred[:, 1:], sample_weight)
+
+
""",
    },
)
