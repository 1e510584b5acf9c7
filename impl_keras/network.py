"""The standard network as Keras layers."""

import tensorflow as tf


def build_network(length: int, classes: int, outputs: str) -> tf.keras.Model:
    """Returns a model from raw counts, float32 [batch, length], to the outputs handed to the loss,
    [batch, classes].

    The activation must be the function `tf.nn.sigmoid`. With the string "sigmoid", Keras 2.15 keeps
    the logits on the output (`_keras_logits`), and its loss takes these without a word: the bug
    that we study would be gone.
    """
    layers = tf.keras.layers
    activation = tf.nn.sigmoid if outputs == "activated" else None
    return tf.keras.Sequential(
        [
            layers.Reshape((length, 1), input_shape=(length,)),
            layers.Conv1D(
                16, kernel_size=16, strides=4, padding="same", activation="relu", name="conv1"
            ),
            layers.MaxPool1D(pool_size=4, strides=4, padding="same", name="pool1"),
            layers.Conv1D(
                32, kernel_size=16, strides=2, padding="same", activation="relu", name="conv2"
            ),
            layers.MaxPool1D(pool_size=4, strides=4, padding="same", name="pool2"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(classes, activation=activation, name="dense2"),
        ]
    )
