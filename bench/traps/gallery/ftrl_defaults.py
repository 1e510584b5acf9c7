"""Ftrl chosen by its name has Keras's default learning rate."""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="ftrl_defaults",
    change="Ftrl has a rate of 0.05 in tf.compat.v1; Keras's, chosen by its name, has 0.001",
    stage="update",
    cause="learning_rate",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Ftrl (learning_rate=0.001)"
    ),
    sound=optimizer("tf.train.FtrlOptimizer(0.05)", "tf.train.FtrlOptimizer(0.05)", '"ftrl"'),
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    alone="rate_too_high",
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
