"""Keras multiplies the learning rate into the velocity, TensorFlow 1 does so afterwards.

The two differ as soon as a schedule changes the rate.
"""

from bench.traps.baseline_edits import MOMENTUM_DECAY
from bench.traps.trap import Trap

TRAP = Trap(
    number=11,
    name="momentum_under_schedule",
    change="momentum with a schedule has the other API's form",
    stage="update",
    cause="momentum_form",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/SGD (velocity = momentum "
        "* velocity - learning_rate * g); "
        "https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/MomentumOptimizer"
    ),
    sound=MOMENTUM_DECAY,
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
