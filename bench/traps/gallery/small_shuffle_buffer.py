"""The file is sorted by class, and the shuffle buffer is too small to hold both classes."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=18,
    name="small_shuffle_buffer",
    change="the file is sorted by class, and the shuffle buffer has 16 samples",
    stage="data",
    cause="buffer_too_small",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle (buffer_size greater "
        "than or equal to the full size of the dataset)"
    ),
    edits={
        "lowlevel": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
+    one_class = [
+        dataset.filter(lambda example, wanted=wanted: tf.equal(label_of(example), wanted))
+        for wanted in (0, 1)
+    ]
+    dataset = one_class[0].concatenate(one_class[1]).shuffle(16, seed=task.seed)
     return _batches(dataset, task).repeat(task.passes).prefetch(2)
+
+
+def label_of(example):
+    return tf.io.parse_single_example(example, {"label": tf.io.FixedLenFeature([], tf.int64)})[
+        "label"
+    ]
""",
        "estimator": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
+    one_class = [
+        dataset.filter(lambda example, wanted=wanted: tf.equal(label_of(example), wanted))
+        for wanted in (0, 1)
+    ]
+    dataset = one_class[0].concatenate(one_class[1]).shuffle(16, seed=task.seed)
     return _batches(dataset, task).repeat(task.passes).prefetch(2)
+
+
+def label_of(example):
+    return tf.io.parse_single_example(example, {"label": tf.io.FixedLenFeature([], tf.int64)})[
+        "label"
+    ]
""",
        "keras": """
@@ input.py
-    dataset = training_records(task).shuffle(task.shuffle_buffer, seed=task.seed)
+    dataset = training_records(task)
+    one_class = [
+        dataset.filter(lambda example, wanted=wanted: tf.equal(label_of(example), wanted))
+        for wanted in (0, 1)
+    ]
+    dataset = one_class[0].concatenate(one_class[1]).shuffle(16, seed=task.seed)
     return _batches(dataset, task).repeat(task.passes).prefetch(2)
+
+
+def label_of(example):
+    return tf.io.parse_single_example(example, {"label": tf.io.FixedLenFeature([], tf.int64)})[
+        "label"
+    ]
""",
    },
)
