"""The schedule's step counter never moves."""

from bench.traps.baseline_edits import DECAY
from bench.traps.trap import Trap

TRAP = Trap(
    number=12,
    name="rate_never_decays",
    change=(
        "global_step is not passed to apply_gradients (Keras: the schedule is called once): the "
        "learning rate never decays"
    ),
    stage="update",
    cause="steps_not_counted",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/Optimizer#apply_gradients "
        "(global_step: optional)"
    ),
    sound=DECAY,
    edits={
        "lowlevel": """
@@ train.py
-    train_op = optimizer.apply_gradients(gradients, global_step)
+    train_op = optimizer.apply_gradients(gradients)
""",
        "keras": """
@@ train.py
-        tf.keras.optimizers.schedules.ExponentialDecay(task.learning_rate, 50, 0.5),
+        tf.keras.optimizers.schedules.ExponentialDecay(task.learning_rate, 50, 0.5)(0),
""",
    },
)
