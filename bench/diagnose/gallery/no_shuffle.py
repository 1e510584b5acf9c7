"""The file's own order, in every epoch."""

from bench.diagnose.trap import Trap

TRAP = Trap(
    number=18,
    name="no_shuffle",
    change="no shuffle",
    stage="data",
    cause="not_shuffled",
    source="https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle",
    edits={
        "lowlevel": """
@@ input.py
-    dataset = tf.data.TFRecordDataset(str(split.path)).shuffle(split.samples, seed=task.seed)
+    dataset = tf.data.TFRecordDataset(str(split.path))
""",
        "estimator": """
@@ input.py
-    dataset = tf.data.TFRecordDataset(str(split.path)).shuffle(split.samples, seed=task.seed)
+    dataset = tf.data.TFRecordDataset(str(split.path))
""",
        "keras": """
@@ input.py
-    dataset = tf.data.TFRecordDataset(str(split.path)).shuffle(split.samples, seed=task.seed)
+    dataset = tf.data.TFRecordDataset(str(split.path))
""",
    },
)
