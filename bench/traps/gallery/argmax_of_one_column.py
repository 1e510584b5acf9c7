"""The argmax over a single column is always 0."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=8,
    name="argmax_of_one_column",
    change="argmax is taken over the positive class's column alone: every prediction is class 0",
    stage="metrics",
    cause="accuracy_of_one_class",
    source="https://www.tensorflow.org/api_docs/python/tf/math/argmax",
    edits={
        "lowlevel": """
@@ observe.py
-    predicted = outputs.argmax(axis=1)
+    predicted = outputs[:, 1:].argmax(axis=1)
""",
        "estimator": """
@@ train.py
-    predicted = tf.argmax(outputs, axis=1)
+    predicted = tf.argmax(outputs[:, 1:], axis=1)
""",
        "keras": """
@@ observe.py
-                tf.keras.metrics.SparseCategoricalAccuracy("accuracy"),
+                Accuracy(name="accuracy"),
@@ observe.py

+class Accuracy(tf.keras.metrics.Accuracy):
+    def update_state(self, y_true, y_pred, sample_weight=None):
+        return super().update_state(
+            tf.reshape(y_true, [-1]), tf.argmax(y_pred[:, 1:], axis=-1), sample_weight
+        )
+
+
 class OfLargerOutput:
""",
    },
)
