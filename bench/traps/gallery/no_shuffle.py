"""The samples come in the file's order in every epoch."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=18,
    name="no_shuffle",
    change="samples are not shuffled",
    stage="data",
    cause="not_shuffled",
    source="https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle",
    edits={
        "lowlevel": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
""",
        "estimator": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
""",
        "keras": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
""",
    },
)
