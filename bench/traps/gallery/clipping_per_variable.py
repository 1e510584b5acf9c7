"""`clipnorm` clips the gradient of each variable by its own norm, which turns the step."""

from bench.traps.baseline_edits import CLIPPED
from bench.traps.trap import Trap

TRAP = Trap(
    number=13,
    name="clipping_per_variable",
    change="gradients are clipped by the norm of each variable instead of the norm of all",
    stage="update",
    cause="clipping_per_variable",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Optimizer (clipnorm "
        "against global_clipnorm); "
        "https://www.tensorflow.org/api_docs/python/tf/clip_by_global_norm"
    ),
    sound=CLIPPED,
    edits={
        "lowlevel": """
@@ train.py
-    clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 1.0)
-    clipped = list(zip(clipped, [variable for _, variable in gradients]))
+    clipped = [(tf.clip_by_norm(gradient, 1.0), variable) for gradient, variable in gradients]
""",
        "estimator": """
@@ train.py
-    clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 1.0)
-    clipped = list(zip(clipped, [variable for _, variable in gradients]))
+    clipped = [(tf.clip_by_norm(gradient, 1.0), variable) for gradient, variable in gradients]
""",
        "keras": """
@@ train.py
-    return tf.keras.optimizers.Adam(
-        task.learning_rate, epsilon=task.adam_epsilon, global_clipnorm=1.0
-    )
+    return tf.keras.optimizers.Adam(task.learning_rate, epsilon=task.adam_epsilon, clipnorm=1.0)
""",
    },
)
