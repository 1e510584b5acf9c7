"""RMSProp: TensorFlow 1 starts its slot at ones and adds epsilon under the root, Keras at zeros and 1e-7."""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="rmsprop_defaults",
    change="RMSProp with the API's defaults: the slot starts at ones or at zeros, epsilon 1e-10 or 1e-7",
    stage="update",
    cause="slot_start",
    source=(
        "https://github.com/tensorflow/tensorflow/blob/v2.15.0/tensorflow/python/training/rmsprop.py (_create_slots); "
        "keras/src/optimizers/rmsprop.py"
    ),
    sound=optimizer(
        "tf.train.RMSPropOptimizer(task.learning_rate)",
        "tf.train.RMSPropOptimizer(task.learning_rate)",
        "tf.keras.optimizers.RMSprop(task.learning_rate)",
    ),
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
