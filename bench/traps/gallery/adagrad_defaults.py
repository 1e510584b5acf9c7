"""Adagrad chosen by its name has a learning rate of 0.001 in Keras.

Its state starts at 0.1 in both APIs; Keras also adds an epsilon of 1e-7.
"""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="adagrad_defaults",
    change="Adagrad has a rate of 0.05 in tf.compat.v1; Keras's, chosen by its name, has 0.001",
    stage="update",
    cause="learning_rate",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Adagrad "
        "(learning_rate=0.001; 'benefits from higher initial values')"
    ),
    sound=optimizer(
        "tf.train.AdagradOptimizer(0.05)", "tf.train.AdagradOptimizer(0.05)", '"adagrad"'
    ),
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    alone="rate_too_high",
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
