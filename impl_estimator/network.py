"""The standard network as `tf.layers`, the layers of the Estimator era."""

import tensorflow.compat.v1 as tf


def build_network(signal: tf.Tensor, classes: int, outputs: str) -> tf.Tensor:
    """Returns the outputs handed to the loss, [batch, classes].

    `signal` has raw counts, float32 [batch, length].
    """
    x = signal[:, :, tf.newaxis]
    x = tf.layers.conv1d(
        x, 16, kernel_size=16, strides=4, padding="same", activation=tf.nn.relu, name="conv1"
    )
    x = tf.layers.max_pooling1d(x, pool_size=4, strides=4, padding="same", name="pool1")
    x = tf.layers.conv1d(
        x, 32, kernel_size=16, strides=2, padding="same", activation=tf.nn.relu, name="conv2"
    )
    x = tf.layers.max_pooling1d(x, pool_size=4, strides=4, padding="same", name="pool2")
    x = tf.layers.flatten(x)
    x = tf.layers.dense(x, 64, activation=tf.nn.relu, name="dense1")
    return tf.layers.dense(
        x, classes, activation=tf.sigmoid if outputs == "activated" else None, name="dense2"
    )
