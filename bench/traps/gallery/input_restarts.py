"""Every call of `train` calls the input function again, so that the samples repeat their order."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=17,
    name="input_restarts",
    change="estimator.train is called in a loop: each call starts its input function again",
    stage="data",
    cause="input_restarts",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/estimator/Estimator#train "
        "(input_fn is called at every call)"
    ),
    edits={
        "estimator": """
@@ train.py
-    tf.estimator.train_and_evaluate(
-        estimator,
-        tf.estimator.TrainSpec(
+    for _ in range(task.epochs):
+        estimator.train(
             functools.partial(training_input, task),
-            max_steps=task.epochs * task.steps_per_epoch,
+            steps=task.steps_per_epoch,
             hooks=[StepReport(observer), saver],
-        ),
-        tf.estimator.EvalSpec(
-            evaluate, steps=None, throttle_secs=0, exporters=EpochReport(watched, observer)
-        ),
-    )
+        )
+        results = estimator.evaluate(evaluate)
+        EpochReport(watched, observer).export(estimator, None, None, results, False)
""",
    },
)
