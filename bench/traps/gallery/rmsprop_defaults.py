"""RMSProp has each API's defaults.

TensorFlow 1 starts its slot at 1 and adds epsilon under the root; Keras starts it at 0 and has an
epsilon of 1e-7.
"""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="rmsprop_defaults",
    change="RMSProp has the API's defaults: its slot starts at 1 or at 0, epsilon is 1e-10 or 1e-7",
    stage="update",
    cause="slot_start",
    source=(
        "https://github.com/tensorflow/tensorflow/blob/v2.15.0/"
        "tensorflow/python/training/rmsprop.py "
        "(_create_slots); keras/src/optimizers/rmsprop.py"
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
