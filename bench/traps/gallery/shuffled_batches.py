"""Whole batches are shuffled, so that each holds samples that are neighbours in the file."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=18,
    name="shuffled_batches",
    change="shuffle is called after batch",
    stage="data",
    cause="batches_shuffled",
    source="https://www.tensorflow.org/guide/data (the order of shuffle and batch)",
    edits={
        "lowlevel": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    dataset = training_records(task)
+    return (
+        _batches(dataset, task)
+        .shuffle(task.shuffle_buffer, seed=task.seed)
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
        "estimator": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    dataset = training_records(task)
+    return (
+        _batches(dataset, task)
+        .shuffle(task.shuffle_buffer, seed=task.seed)
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
        "keras": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    dataset = training_records(task)
+    return (
+        _batches(dataset, task)
+        .shuffle(task.shuffle_buffer, seed=task.seed)
+        .repeat(task.passes)
+        .prefetch(2)
+    )
""",
    },
)
