"""Ftrl by its name takes Keras's rate."""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="ftrl_defaults",
    change="Ftrl at 0.05 in tf.compat.v1, by its name and so at 0.001 in Keras",
    stage="update",
    cause="learning_rate",
    source="https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Ftrl (learning_rate=0.001)",
    sound=optimizer("tf.train.FtrlOptimizer(0.05)", "tf.train.FtrlOptimizer(0.05)", '"ftrl"'),
    edits={
        "lowlevel": "",
        "estimator": "",
        "keras": "",
    },
    alone="rate_too_high",
    against={"lowlevel": "keras", "estimator": "keras", "keras": "lowlevel"},
)
