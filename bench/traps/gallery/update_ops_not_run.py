"""`tf.compat.v1` updates moving statistics by operations of their own, which are not run here."""

from bench.traps.baseline_edits import BATCH_NORM
from bench.traps.trap import Trap

TRAP = Trap(
    number=6,
    name="update_ops_not_run",
    change="the update ops of batch normalisation are not run",
    stage="update",
    cause="statistics_not_updated",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/layers/batch_normalization (the "
        "UPDATE_OPS note)"
    ),
    sound=BATCH_NORM,
    edits={
        "lowlevel": """
@@ train.py
-    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
-        train_op = optimizer.apply_gradients(gradients, global_step)
+    train_op = optimizer.apply_gradients(gradients, global_step)
""",
        "estimator": """
@@ train.py
-    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
-        train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
+    train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
""",
    },
)
