"""Adam has each API's own default epsilon: 1e-8 in `tf.compat.v1`, 1e-7 in Keras."""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="adam_epsilon",
    change="Adam has the API's default epsilon: 1e-8 in tf.compat.v1, 1e-7 in Keras",
    stage="update",
    cause="epsilon",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/AdamOptimizer "
        "(epsilon=1e-08); https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Adam "
        "(epsilon=1e-07)"
    ),
    sound=optimizer(
        "tf.train.AdamOptimizer(task.learning_rate)",
        "tf.train.AdamOptimizer(task.learning_rate)",
        "tf.keras.optimizers.Adam(task.learning_rate)",
    ),
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
