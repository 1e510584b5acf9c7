"""Keras 2.15 hides the fault: the output keeps its logits (`_keras_logits`) for the loss."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=1,
    name="sigmoid_by_string",
    change=(
        "activation='sigmoid' with from_logits=True: it trains, but the loss that it reports is "
        "not that of its predictions"
    ),
    stage="loss",
    cause="loss_of_hidden_logits",
    source=(
        "keras/src/backend.py, `_get_logits`; keras/src/layers/core/activation.py, `_keras_logits`"
    ),
    edits={
        "keras": """
@@ network.py
-    activation = tf.nn.sigmoid if outputs == "activated" else None
+    activation = "sigmoid"
""",
    },
)
