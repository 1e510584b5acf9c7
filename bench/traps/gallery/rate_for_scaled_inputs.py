"""A learning rate for inputs of size 1 is used on raw counts: the first steps kill the ReLUs."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=21,
    name="rate_for_scaled_inputs",
    change="the learning rate is 0.1 on raw counts",
    stage="update",
    cause="learning_rate",
    source=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733; Goodfellow, Bengio and "
        "Courville 2016, section 11.4.1"
    ),
    edits={
        "lowlevel": """
@@ train.py
-    return tf.train.AdamOptimizer(task.learning_rate, epsilon=task.adam_epsilon)
+    return tf.train.AdamOptimizer(0.1, epsilon=task.adam_epsilon)
""",
        "estimator": """
@@ train.py
-    return tf.train.AdamOptimizer(task.learning_rate, epsilon=task.adam_epsilon)
+    return tf.train.AdamOptimizer(0.1, epsilon=task.adam_epsilon)
""",
        "keras": """
@@ train.py
-    return tf.keras.optimizers.Adam(task.learning_rate, epsilon=task.adam_epsilon)
+    return tf.keras.optimizers.Adam(0.1, epsilon=task.adam_epsilon)
""",
    },
    alone="rate_too_high",
)
