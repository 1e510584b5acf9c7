"""A squared error broadcasts one label over two outputs: both outputs learn the same."""

from bench.traps.trap import Trap

TRAP = Trap(
    number=5,
    name="squared_error_of_sparse_labels",
    change="MeanSquaredError has outputs [batch, 2] and labels [batch]",
    stage="loss",
    cause="broadcast_labels",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/losses/MeanSquaredError (y_true and "
        "y_pred of one shape); tensorflow/python/ops/math_ops (squared_difference broadcasts)"
    ),
    edits={
        "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=tf.keras.losses.MeanSquaredError(),
@@ observe.py
-        loss = model.loss(batch.labels, outputs)
+        loss = model.compiled_loss(tf.constant(batch.labels), outputs)
""",
    },
)
