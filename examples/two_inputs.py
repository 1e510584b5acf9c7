"""A network of two inputs, as a v1 graph and as the Keras model it was ported to.

python -m bench parity examples/two_inputs.py:graph examples/two_inputs.py:keras_model
"""

import tensorflow as tf

v1 = tf.compat.v1


def graph(features, labels, training):
    """The old code: `features` is a dict, by the names of the Keras model's inputs."""
    signal = v1.layers.dense(features["signal"], 32, activation=tf.nn.relu, name="signal_dense")
    patient = v1.layers.dense(features["patient"], 8, activation=tf.nn.relu, name="patient_dense")
    logits = v1.layers.dense(tf.concat([signal, patient], axis=1), 3, name="classes")
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    train_op = v1.train.MomentumOptimizer(0.05, 0.9).minimize(
        loss, v1.train.get_or_create_global_step()
    )
    return {"loss": loss, "logits": logits, "train_op": train_op}


def keras_model():
    """The port. Keras multiplies the learning rate into its momentum; TensorFlow 1 does not. They
    are the same while the rate does not change; the comparison says where they differ."""
    layers = tf.keras.layers
    signal = tf.keras.Input([130], name="signal")
    patient = tf.keras.Input([5], name="patient")
    joined = layers.Concatenate()(
        [
            layers.Dense(32, activation="relu", name="signal_dense")(signal),
            layers.Dense(8, activation="relu", name="patient_dense")(patient),
        ]
    )
    model = tf.keras.Model([signal, patient], layers.Dense(3, name="classes")(joined))
    model.compile(
        tf.keras.optimizers.SGD(0.05, momentum=0.9),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model
