"""The features are scaled in training, but not in evaluation."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=20,
    name="scaled_in_training_only",
    change="features are divided by 200 in training and not in evaluation",
    stage="data",
    cause="scaled_in_training_only",
    source=(
        "Sculley et al. 2015, Hidden Technical Debt in Machine Learning Systems; "
        "https://developers.google.com/machine-learning/guides/rules-of-ml (training-serving "
        "skew)"
    ),
    edits={
        "lowlevel": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    return (
+        _batches(dataset, task)
+        .map(lambda signal, label: (signal / 200, label))
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
        "estimator": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    return (
+        _batches(dataset, task)
+        .map(lambda signal, label: (signal / 200, label))
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
        "keras": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    return (
+        _batches(dataset, task)
+        .map(lambda signal, label: (signal / 200, label))
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
    },
)
