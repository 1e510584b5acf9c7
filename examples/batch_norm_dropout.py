"""Batch normalisation and dropout: an Estimator's `model_fn`, and its port to Keras.

cd examples
python -m bench parity batch_norm_dropout.py:model_fn batch_norm_dropout.py:keras_model
"""

import tensorflow as tf

v1 = tf.compat.v1


def model_fn(features, labels, mode):
    """The old code. A classic mistake is to forget UPDATE_OPS: then the moving statistics never
    change."""
    training = mode == tf.estimator.ModeKeys.TRAIN
    x = v1.layers.conv1d(
        features[:, :, tf.newaxis], 8, 5, strides=2, padding="same", use_bias=False, name="conv"
    )
    x = tf.nn.relu(v1.layers.batch_normalization(x, training=training, name="norm"))
    x = v1.layers.dropout(v1.layers.flatten(x), rate=0.3, training=training)
    logits = v1.layers.dense(x, 4, name="classes")
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode, predictions=tf.argmax(logits, axis=1))
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    accuracy = v1.metrics.accuracy(labels, tf.argmax(logits, axis=1))
    with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
        train_op = v1.train.AdamOptimizer(1e-3, epsilon=1e-7).minimize(
            loss, v1.train.get_global_step()
        )
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=train_op, eval_metric_ops={"accuracy": accuracy}
    )


def keras_model():
    """The port."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Reshape((64, 1), input_shape=(64,)),
            layers.Conv1D(8, 5, strides=2, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(4, name="classes"),
        ]
    )
    model.compile(
        tf.keras.optimizers.Adam(1e-3, epsilon=1e-7),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
