"""The features are the converter's raw counts, which are 1,024 at rest.

They are large and all positive, so that ReLUs die.
"""

from bench.traps.trap import Trap

TRAP = Trap(
    number=21,
    name="baseline_not_removed",
    change="features are raw converter counts: their baseline of 1,024 is not removed",
    stage="data",
    cause="features_shifted",
    source=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733; Moody and Mark 2001 "
        "(MIT-BIH: 11 bits, 1,024 at rest)"
    ),
    edits={
        "lowlevel": """
@@ input.py
-        return tf.cast(signal, tf.float32), features["label"]
+        return tf.cast(signal, tf.float32) + 1024, features["label"]
""",
        "estimator": """
@@ input.py
-        return tf.cast(signal, tf.float32), features["label"]
+        return tf.cast(signal, tf.float32) + 1024, features["label"]
""",
        "keras": """
@@ input.py
-        return tf.cast(signal, tf.float32), features["label"]
+        return tf.cast(signal, tf.float32) + 1024, features["label"]
""",
    },
)
