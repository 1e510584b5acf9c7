"""Right and wrong ports of one small network; the comparison must tell them apart.

A test names one as `tests/ports.py:NAME`.
"""

import tensorflow as tf

v1 = tf.compat.v1
layers = tf.keras.layers
CROSS_ENTROPY = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def graph(features, labels, training, activation=tf.nn.relu, initializer=None, optimizer=None):
    hidden = v1.layers.dense(
        features, 16, activation=activation, name="hidden", kernel_initializer=initializer
    )
    logits = v1.layers.dense(hidden, 3, name="classes")
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    optimizer = optimizer or v1.train.AdamOptimizer(1e-3, epsilon=1e-7)
    return {
        "loss": loss,
        "logits": logits,
        "train_op": optimizer.minimize(loss, v1.train.get_or_create_global_step()),
    }


def model(
    hidden=None,
    classes=None,
    loss=CROSS_ENTROPY,
    optimizer=None,
    kind=tf.keras.Sequential,
    metrics=("accuracy",),
):
    made = kind(
        [
            tf.keras.Input([12]),
            hidden or layers.Dense(16, activation="relu", name="hidden"),
            classes or layers.Dense(3, name="classes"),
        ]
    )
    made.compile(optimizer or tf.keras.optimizers.Adam(1e-3), loss, metrics=list(metrics))
    return made


# These are the same network, written in other ways.


class Subclassed(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.classes = layers.Dense(16), layers.Dense(3)

    def call(self, x):
        return self.classes(tf.maximum(self.hidden(x), 0.0))


def subclassed():
    made = Subclassed()
    made.compile(tf.keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return made


def transposed(features, labels, training):
    """Stores its kernels as [outputs, inputs]."""

    def dense(x, units, name):
        with v1.variable_scope(name):
            weights = v1.get_variable("weights", [units, x.shape[-1]])
            offset = v1.get_variable("offset", [units], initializer=v1.zeros_initializer())
            return tf.matmul(x, weights, transpose_b=True) + offset

    logits = dense(tf.nn.relu(dense(features, 16, "a")), 3, "b")
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    return {
        "loss": loss,
        "logits": logits,
        "train_op": v1.train.AdamOptimizer(1e-3, epsilon=1e-7).minimize(loss),
    }


def model_fn(features, labels, mode, params):
    built = graph(features, labels, mode == tf.estimator.ModeKeys.TRAIN)
    predicted = tf.argmax(built["logits"], axis=1)
    metrics = {"accuracy": v1.metrics.accuracy(labels, predicted)}
    return tf.estimator.EstimatorSpec(
        mode, built["logits"], built["loss"], built["train_op"], metrics
    )


def estimator():
    return tf.estimator.Estimator(model_fn, params={})


def legacy_adam():
    return model(optimizer=tf.keras.optimizers.legacy.Adam(1e-3))


# Each of these is wrong at one stage.


def wrong_variables_frozen():
    return model(hidden=layers.Dense(16, activation="relu", name="hidden", trainable=False))


def wrong_variables_bias():
    return model(classes=layers.Dense(3, use_bias=False, name="classes"))


def wrong_initial_weights():
    return model(
        hidden=layers.Dense(16, activation="relu", name="hidden", kernel_initializer="he_uniform")
    )


def wrong_initial_bias():
    return model(hidden=layers.Dense(16, activation="relu", name="hidden", bias_initializer="ones"))


def wrong_forward():
    return model(
        hidden=layers.Dense(16, activation=lambda x: tf.nn.leaky_relu(x, 0.01), name="hidden")
    )


def wrong_loss_sum():
    return model(
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    )


def wrong_loss_regularised():
    return model(hidden=layers.Dense(16, activation="relu", name="hidden", kernel_regularizer="l2"))


def wrong_loss_from_logits():
    return model(loss=tf.keras.losses.SparseCategoricalCrossentropy())


@tf.custom_gradient
def relu_with_half_a_gradient(x):
    return tf.nn.relu(x), lambda upstream: 0.5 * upstream * tf.cast(x > 0, x.dtype)


def wrong_gradients():
    return model(hidden=layers.Dense(16, activation=relu_with_half_a_gradient, name="hidden"))


def wrong_gradients_none():
    """Cuts off the gradient of the hidden layer; in Keras the gradient is then None."""
    return model(
        hidden=layers.Dense(16, activation=lambda x: tf.stop_gradient(tf.nn.relu(x)), name="hidden")
    )


def zero_gradients(features, labels, training):
    """Cuts off the gradient of the hidden layer; here the gradient is then zero."""
    return graph(features, labels, training, activation=relu_without_gradient)


@tf.custom_gradient
def relu_without_gradient(x):
    return tf.nn.relu(x), lambda upstream: 0.0 * upstream


def wrong_update_rate():
    return model(optimizer=tf.keras.optimizers.Adam(1.001e-3))


def wrong_update_epsilon(features, labels, training):
    """Differs so little that gradients of ordinary size do not show it."""
    return graph(
        features, labels, training, optimizer=v1.train.AdamOptimizer(1e-3, epsilon=1.002e-7)
    )


def wrong_update_default_epsilon(features, labels, training):
    """Uses the default epsilon: it is 1e-8 in tf.compat.v1 and 1e-7 in Keras."""
    return graph(features, labels, training, optimizer=v1.train.AdamOptimizer(1e-3))


def momentum(features, labels, training):
    rate = v1.train.piecewise_constant(v1.train.get_or_create_global_step(), [30], [0.1, 0.01])
    return graph(features, labels, training, optimizer=v1.train.MomentumOptimizer(rate, 0.9))


def wrong_update_momentum():
    """Has a momentum that contains the learning rate, as in Keras.

    The two updates are the same until the learning rate changes.
    """
    rate = tf.keras.optimizers.schedules.PiecewiseConstantDecay([30], [0.1, 0.01])
    return model(optimizer=tf.keras.optimizers.SGD(rate, momentum=0.9))


def wrong_update_schedule():
    rate = tf.keras.optimizers.schedules.PiecewiseConstantDecay([29], [0.1, 0.01])
    return model(optimizer=tf.keras.optimizers.SGD(rate, momentum=0.9))


def rmsprop(features, labels, training):
    return graph(
        features, labels, training, optimizer=v1.train.RMSPropOptimizer(1e-3, epsilon=1e-7)
    )


def rmsprop_model():
    """Differs from `rmsprop`: TensorFlow 1 starts the second moment at 1 and adds epsilon under
    the root, and Keras does neither.
    """
    return model(optimizer=tf.keras.optimizers.RMSprop(1e-3, rho=0.9, epsilon=1e-7))


class SlowsDown(tf.keras.Sequential):
    """Halves its loss from the eleventh step on."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        late = tf.cast(self.optimizer.iterations >= 10, loss.dtype)
        return loss * (1 - 0.5 * late)


def wrong_curve():
    return model(kind=SlowsDown)


class TopTwo(tf.keras.metrics.SparseTopKCategoricalAccuracy):
    def __init__(self):
        super().__init__(k=2, name="accuracy")


def wrong_metrics():
    return model(metrics=(TopTwo(),))


# These have batch normalisation and dropout.


def normalised_graph(
    features, labels, training, momentum=0.99, epsilon=1e-3, rate=0.25, updates=True
):
    x = v1.layers.dense(features, 16, name="hidden")
    x = tf.nn.relu(
        v1.layers.batch_normalization(
            x, momentum=momentum, epsilon=epsilon, training=training, name="norm"
        )
    )
    x = v1.layers.dropout(x, rate=rate, training=training)
    logits = v1.layers.dense(x, 3, name="classes")
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS) if updates else []):
        train_op = v1.train.GradientDescentOptimizer(0.1).minimize(
            loss, v1.train.get_or_create_global_step()
        )
    return {"loss": loss, "logits": logits, "train_op": train_op}


def wrong_update_forgotten_statistics(features, labels, training):
    return normalised_graph(features, labels, training, updates=False)


def wrong_update_statistics_momentum(features, labels, training):
    return normalised_graph(features, labels, training, momentum=0.9)


def wrong_forward_epsilon(features, labels, training):
    return normalised_graph(features, labels, training, epsilon=1e-5)


def wrong_forward_dropout(features, labels, training):
    return normalised_graph(features, labels, training, rate=0.3)


def normalised(dropout=None):
    made = tf.keras.Sequential(
        [
            tf.keras.Input([12]),
            layers.Dense(16, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            dropout or layers.Dropout(0.25),
            layers.Dense(3, name="classes"),
        ]
    )
    made.compile(tf.keras.optimizers.SGD(0.1), CROSS_ENTROPY)
    return made


class OwnDropout(layers.Layer):
    """Draws its own random numbers, in another order."""

    def __init__(self, rate):
        super().__init__()
        self.rate, self.generator = rate, tf.random.Generator.from_seed(1)

    def call(self, x, training=False):
        if not training:
            return x
        kept = self.generator.uniform(tf.shape(x)) >= self.rate
        return x * tf.cast(kept, x.dtype) / (1 - self.rate)


def other_random_numbers():
    return normalised(OwnDropout(0.25))


def wrong_forward_own_dropout():
    return normalised(OwnDropout(0.3))


def wrong_forward_no_dropout():
    return normalised(layers.Activation("linear"))


# These are no ports at all.


def raises(features, labels, training):
    return tf.matmul(features, tf.zeros([99, 3]))


def not_a_number():
    return model(hidden=layers.Dense(16, activation=lambda x: tf.math.log(x - 1e9), name="hidden"))


def never_returns():
    while True:
        pass


def not_compiled():
    return tf.keras.Sequential([tf.keras.Input([12]), layers.Dense(3)])


def returns_nothing():
    return None


def takes_something_else(images, targets):
    return images


NUMBER = 3


# These clip gradients and have a learning rate that decays.


def clipped(features, labels, training):
    logits = v1.layers.dense(
        v1.layers.dense(features, 16, activation=tf.nn.elu, name="hidden"), 3, name="classes"
    )
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    step = v1.train.get_or_create_global_step()
    optimizer = v1.train.GradientDescentOptimizer(
        v1.train.exponential_decay(0.1, step, 10, 0.5, staircase=True)
    )
    gradients = [
        (tf.clip_by_norm(gradient, 0.05), variable)
        for gradient, variable in optimizer.compute_gradients(loss)
    ]
    return {"loss": loss, "logits": logits, "train_op": optimizer.apply_gradients(gradients, step)}


def clipped_model(clipnorm=0.05):
    rate = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True)
    return model(
        hidden=layers.Dense(16, activation="elu", name="hidden"),
        optimizer=tf.keras.optimizers.SGD(rate, clipnorm=clipnorm),
    )


def wrong_update_without_clipping():
    return clipped_model(clipnorm=None)


# These take whole numbers as input.


def embedded(features, labels, training):
    table = v1.get_variable(
        "table", [50, 6], initializer=v1.random_uniform_initializer(-0.05, 0.05)
    )
    x = tf.concat(
        [tf.reduce_mean(tf.nn.embedding_lookup(table, features["ids"]), axis=1), features["x"]],
        axis=1,
    )
    logits = v1.layers.dense(
        v1.layers.dense(x, 20, activation=tf.tanh, name="hidden"), 1, name="output"
    )
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
    return {
        "loss": loss,
        "logits": logits,
        "train_op": v1.train.AdagradOptimizer(0.05).minimize(loss),
    }


def embedded_model():
    ids, x = tf.keras.Input([7], dtype="int32", name="ids"), tf.keras.Input([4], name="x")
    mean = layers.GlobalAveragePooling1D()(layers.Embedding(50, 6, name="embedding")(ids))
    hidden = layers.Dense(20, activation="tanh", name="hidden")(layers.Concatenate()([mean, x]))
    made = tf.keras.Model([ids, x], layers.Dense(1, activation="sigmoid", name="output")(hidden))
    made.compile(tf.keras.optimizers.Adagrad(0.05), "binary_crossentropy")
    return made
