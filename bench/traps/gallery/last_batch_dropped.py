"""The samples of the last, partial batch are never used."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=19,
    name="last_batch_dropped",
    change="batch(drop_remainder=True)",
    stage="data",
    cause="partial_batch_dropped",
    source="https://www.tensorflow.org/api_docs/python/tf/data/Dataset#batch (drop_remainder)",
    edits={
        "lowlevel": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    return _batches(dataset, task).repeat().prefetch(2)
@@ input.py
-    return dataset.batch(task.batch_size).map(batch_parser(task))
+    return dataset.batch(task.batch_size, drop_remainder=True).map(batch_parser(task))
""",
        "estimator": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    batches = dataset.batch(task.batch_size, drop_remainder=True)
+    return batches.map(batch_parser(task)).repeat().prefetch(2)
""",
        "keras": """
@@ input.py
-    return _batches(dataset, task).repeat(task.passes).prefetch(2)
+    batches = dataset.batch(task.batch_size, drop_remainder=True)
+    return batches.map(batch_parser(task)).repeat().prefetch(2)
""",
    },
)
