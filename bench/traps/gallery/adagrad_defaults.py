"""Adagrad: both start at 0.1, Keras adds an epsilon of 1e-7, and chosen by its name it has a rate of 0.001."""

from bench.traps.baseline_edits import optimizer
from bench.traps.trap import Trap

TRAP = Trap(
    number=10,
    name="adagrad_defaults",
    change="Adagrad at 0.05 in tf.compat.v1, by its name and so at 0.001 in Keras",
    stage="update",
    cause="learning_rate",
    source=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Adagrad (learning_rate=0.001; 'benefits from higher "
        "initial values')"
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
