"""A learning rate in pieces, as a v1 graph and as the Keras model it was ported to.

python -m bench parity examples/piecewise_rate.py:graph examples/piecewise_rate.py:keras_model
"""

import tensorflow as tf

v1 = tf.compat.v1
BOUNDARIES, RATES = [20, 40], [0.1, 0.02, 0.004]


def graph(features, labels, training):
    """The old code."""
    hidden = v1.layers.dense(features, 16, activation=tf.nn.tanh, name="hidden")
    logits = v1.layers.dense(hidden, 1, name="output")
    loss = tf.reduce_mean(tf.square(logits - labels))
    step = v1.train.get_or_create_global_step()
    rate = v1.train.piecewise_constant(step, BOUNDARIES, RATES)
    return {
        "loss": loss,
        "logits": logits,
        "train_op": v1.train.GradientDescentOptimizer(rate).minimize(loss, step),
    }


def keras_model():
    """The port."""
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(16, activation="tanh", name="hidden", input_shape=(10,)),
            tf.keras.layers.Dense(1, name="output"),
        ]
    )
    rate = tf.keras.optimizers.schedules.PiecewiseConstantDecay(BOUNDARIES, RATES)
    model.compile(tf.keras.optimizers.SGD(rate), "mse")
    return model
