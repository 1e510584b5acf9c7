"""The standard network as variables and `tf.nn` ops."""

import tensorflow.compat.v1 as tf


def build_network(signal: tf.Tensor, classes: int, outputs: str) -> tf.Tensor:
    """Returns the outputs handed to the loss, [batch, classes].

    `signal` has raw counts, float32 [batch, length].
    """
    x = signal[:, :, tf.newaxis]
    x = tf.nn.relu(conv1d(x, filters=16, kernel_size=16, stride=4, name="conv1"))
    x = tf.nn.max_pool1d(x, ksize=4, strides=4, padding="SAME", name="pool1")
    x = tf.nn.relu(conv1d(x, filters=32, kernel_size=16, stride=2, name="conv2"))
    x = tf.nn.max_pool1d(x, ksize=4, strides=4, padding="SAME", name="pool2")
    x = tf.reshape(x, [-1, x.shape[1] * x.shape[2]])
    x = tf.nn.relu(dense(x, units=64, name="dense1"))
    x = dense(x, units=classes, name="dense2")
    return tf.sigmoid(x) if outputs == "activated" else x


def conv1d(x: tf.Tensor, filters: int, kernel_size: int, stride: int, name: str) -> tf.Tensor:
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [kernel_size, x.shape[-1], filters])
        bias = tf.get_variable("bias", [filters])
        return tf.nn.bias_add(tf.nn.conv1d(x, kernel, stride, padding="SAME"), bias)


def dense(x: tf.Tensor, units: int, name: str) -> tf.Tensor:
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [x.shape[-1], units])
        bias = tf.get_variable("bias", [units])
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)
