"""All kernels are 0: the units of a layer are all the same, and no gradient passes them."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=15,
    name="zero_kernels",
    change="kernels are initialised to zeros",
    stage="initial weights",
    cause="constant_initialiser",
    source="Goodfellow, Bengio and Courville 2016, Deep Learning, section 8.4 (symmetry breaking)",
    edits={
        "lowlevel": """
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        variable.load(np.zeros_like(weights[variable.op.name]), session)
""",
        "estimator": """
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        variable.load(np.zeros_like(weights[variable.op.name]), session)
""",
        "keras": """
@@ train.py
-    model.set_weights(list(task.initial_weights().values()))
+    model.set_weights([tf.zeros_like(value) for value in task.initial_weights().values()])
""",
    },
)
