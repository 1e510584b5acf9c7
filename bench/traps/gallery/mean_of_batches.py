"""The evaluation's loss is the mean of the batches' means.

Samples of the last, partial batch have a larger weight in it.
"""

from bench.traps.trap import Trap

TRAP = Trap(
    number=19,
    name="mean_of_batches",
    change="the evaluation's loss is the mean over batches instead of samples",
    stage="metrics",
    cause="mean_of_batches",
    source=(
        "tensorflow_estimator/python/estimator/estimator.py (`loss` of an evaluation is the mean "
        "over batches)"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    return Model(
-        batch, outputs, loss, tf.reduce_sum(sample_losses), gradients, train_op, global_step
-    )
+    return Model(batch, outputs, loss, loss, gradients, train_op, global_step)
@@ train.py
-    loss = float(sum((batch[2] for batch in batches), np.float32(0)) / np.float32(len(labels)))
+    loss = float(sum((batch[2] for batch in batches), np.float32(0)) / np.float32(len(batches)))
""",
        "estimator": """
@@ observe.py
-                loss=float(eval_result["average_loss"]),
+                loss=float(eval_result["loss"]),
""",
        "keras": """
@@ observe.py
         results = self.evaluator.evaluate(self.evaluation, verbose=0, return_dict=True)
+        results["loss"] = float(
+            tf.reduce_mean(
+                [
+                    self.evaluator.loss(labels, self.evaluator(signal))
+                    for signal, labels in self.evaluation
+                ]
+            )
+        )
""",
    },
)
