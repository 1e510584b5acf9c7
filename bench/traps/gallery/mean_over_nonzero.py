"""Some samples have a weight of 0.

`tf.losses` divides by the number of the other samples, Keras and `reduce_mean` by that of all.
"""

from bench.traps.baseline_edits import HARD_SAMPLES
from bench.traps.trap import Trap

TRAP = Trap(
    number=14,
    name="mean_over_nonzero",
    change="a weighted loss is divided by the number of non-zero weights instead of samples",
    stage="loss",
    cause="mean_over_nonzero",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/losses/Reduction "
        "(SUM_BY_NONZERO_WEIGHTS is the default)"
    ),
    sound=HARD_SAMPLES,
    edits={
        "lowlevel": """
@@ train.py
-    loss = tf.reduce_mean(sample_losses * hard)
+    loss = tf.losses.compute_weighted_loss(sample_losses, hard)
""",
        "estimator": """
@@ train.py
-    loss = tf.losses.compute_weighted_loss(
-        sample_losses, hard, reduction=tf.losses.Reduction.SUM_OVER_BATCH_SIZE
-    )
+    loss = tf.losses.compute_weighted_loss(sample_losses, hard)
""",
        "keras": """
@@ train.py
-    return losses * tf.cast(losses > 0.1, tf.float32)
+    hard = tf.cast(losses > 0.1, tf.float32)
+    return (
+        losses
+        * hard
+        * tf.math.divide_no_nan(tf.cast(tf.size(hard), tf.float32), tf.reduce_sum(hard))
+    )
""",
    },
)
