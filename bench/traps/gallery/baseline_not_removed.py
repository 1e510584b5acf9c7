"""The converter's own counts, 1,024 at rest: large and all of one sign, they drive ReLUs to where nothing comes back."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=21,
    name="baseline_not_removed",
    change="raw converter counts with their baseline of 1,024 left in",
    stage="data",
    cause="features_shifted",
    source=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733; Moody and Mark 2001 (MIT-BIH: 11 bits, 1,024 at "
        "rest)"
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
