"""Keras's loss looks for a softmax before the outputs and takes its input instead.

It does so whatever `from_logits` says.
"""

from bench.traps.trap import Trap

TRAP = Trap(
    number=1,
    name="softmax_taken_back",
    change=(
        "activation=tf.nn.softmax with from_logits=True: it trains, but the loss that it reports "
        "is not that of its predictions"
    ),
    stage="loss",
    cause="loss_of_hidden_logits",
    source="keras/src/backend.py, `_get_logits` (from_expected_op_type)",
    edits={
        "keras": """
@@ network.py
-    activation = tf.nn.sigmoid if outputs == "activated" else None
+    activation = tf.nn.softmax
""",
    },
)
