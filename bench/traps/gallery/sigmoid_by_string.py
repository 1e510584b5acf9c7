"""The string heals the bug: Keras 2.15 keeps the logits on the output (`_keras_logits`), and its loss takes them back."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=1,
    name="sigmoid_by_string",
    change="activation='sigmoid' with from_logits=True: trains, but the loss it reports is not that of its predictions",
    stage="loss",
    cause="loss_of_hidden_logits",
    source="keras/src/backend.py, `_get_logits`; keras/src/layers/core/activation.py, `_keras_logits`",
    edits={
        "keras": """
@@ network.py
-    activation = tf.nn.sigmoid if outputs == "activated" else None
+    activation = "sigmoid"
""",
    },
)
