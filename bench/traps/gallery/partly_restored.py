"""A layer was renamed, and restoring weights by name skips it without an error."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=23,
    name="partly_restored",
    change="weights are restored by name, and one name has changed",
    stage="initial weights",
    cause="not_restored",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/init_from_checkpoint "
        "(assignment_map); https://www.tensorflow.org/api_docs/python/tf/keras/Model#load_weights "
        "(by_name)"
    ),
    edits={
        "lowlevel": """
@@ network.py
-    x = tf.nn.relu(conv1d(x, filters=32, kernel_size=16, stride=2, name="conv2"))
+    x = tf.nn.relu(conv1d(x, filters=32, kernel_size=16, stride=2, name="conv_2"))
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if variable.op.name in weights:
+            variable.load(weights[variable.op.name], session)
""",
        "estimator": """
@@ network.py
-        x, 32, kernel_size=16, strides=2, padding="same", activation=tf.nn.relu, name="conv2"
+        x, 32, kernel_size=16, strides=2, padding="same", activation=tf.nn.relu, name="conv_2"
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if variable.op.name in weights:
+            variable.load(weights[variable.op.name], session)
""",
        "keras": """
@@ network.py
-                32, kernel_size=16, strides=2, padding="same", activation="relu", name="conv2"
+                32, kernel_size=16, strides=2, padding="same", activation="relu", name="conv_2"
@@ train.py
-    model.set_weights(list(task.initial_weights().values()))
+    weights = task.initial_weights()
+    for variable in model.trainable_variables:
+        if variable.name[:-2] in weights:
+            variable.assign(weights[variable.name[:-2]])
""",
    },
)
