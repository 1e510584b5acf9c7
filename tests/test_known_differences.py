"""The known differences between the APIs, shown with the APIs themselves."""

import numpy as np
import pytest
import tensorflow as tf

from bench.parity import known_differences

v1 = tf.compat.v1
SAMPLES, BATCH = 40, 16  # 16, 16, 8
FEATURES = np.linspace(-1, 1, SAMPLES, dtype=np.float32)[:, np.newaxis]
LABELS = (FEATURES[:, 0] ** 2).astype(np.float32)[:, np.newaxis]


def linear_model():
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(1, kernel_initializer="ones", input_shape=(1,))]
    )
    model.compile(tf.keras.optimizers.SGD(0.1), "mse")
    return model


def batch_losses():
    errors = ((FEATURES - LABELS) ** 2)[:, 0]
    return [errors[start : start + BATCH].mean() for start in range(0, SAMPLES, BATCH)]


def v1_adam_second_moment(gradient):
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("x", initializer=np.float32(1))
        optimizer = v1.train.AdamOptimizer(1e-3)
        update = optimizer.apply_gradients([(tf.constant(gradient), variable)])
        session.run(v1.global_variables_initializer())
        session.run(update)
        return float(session.run(optimizer.get_slot(variable, "v")))


def keras_adam_second_moment(gradient, optimizer):
    variable = tf.Variable(np.float32(1))
    optimizer.apply_gradients([(tf.constant(gradient), variable)])
    if isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        return float(optimizer.get_slot(variable, "v"))
    return float(optimizer._velocities[0])


def test_adam_takes_the_complement_in_float32_in_the_fused_kernel_and_in_float64_in_keras():
    gradient = np.float32(1)
    fused = v1_adam_second_moment(gradient)
    python = keras_adam_second_moment(gradient, tf.keras.optimizers.Adam(1e-3))
    assert python == pytest.approx(0.001, rel=1e-7)
    assert abs(fused / 0.001 - 1) == pytest.approx(known_differences.ADAM_COMPLEMENT, rel=1e-2)
    assert fused == keras_adam_second_moment(gradient, tf.keras.optimizers.legacy.Adam(1e-3))


def test_estimators_evaluation_loss_is_the_mean_over_batches_and_that_of_keras_over_samples(
    tmp_path,
):
    def model_fn(features, labels, mode):
        kernel = v1.get_variable("kernel", [1, 1], initializer=v1.ones_initializer())
        loss = tf.reduce_mean(tf.square(tf.matmul(features, kernel) - labels))
        train_op = v1.train.GradientDescentOptimizer(0.0).minimize(loss, v1.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)

    def data():
        return tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(BATCH)

    estimator = tf.estimator.Estimator(model_fn, model_dir=str(tmp_path))
    estimator.train(data, steps=1)
    over_batches = np.mean(batch_losses())
    over_samples = np.average(batch_losses(), weights=[16, 16, 8])
    assert abs(over_batches - over_samples) > 0.01
    assert estimator.evaluate(data)["loss"] == pytest.approx(over_batches, rel=1e-6)
    assert linear_model().evaluate(FEATURES, LABELS, BATCH, verbose=0) == pytest.approx(
        over_samples, rel=1e-6
    )


def test_keras_shows_the_mean_over_the_epoch_so_far():
    own, shown = [], []

    class Keep(tf.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            part = slice(batch * 8, batch * 8 + 8)
            own.append(float(tf.reduce_mean((self.model(FEATURES[part]) - LABELS[part]) ** 2)))

        def on_train_batch_end(self, batch, logs=None):
            shown.append(logs["loss"])

    linear_model().fit(FEATURES, LABELS, 8, shuffle=False, verbose=0, callbacks=[Keep()])
    assert shown == pytest.approx(known_differences.running_mean(np.array(own)).tolist(), rel=1e-5)
    assert abs(shown[-1] - own[-1]) > 0.01


def test_the_two_forms_of_momentum_part_when_the_learning_rate_changes():
    def run(rates):
        variable, optimizer = (
            tf.Variable(np.float32(1)),
            tf.keras.optimizers.SGD(rates[0], momentum=0.9),
        )
        with tf.Graph().as_default(), v1.Session() as session:
            theirs, rate = (
                v1.get_variable("x", initializer=np.float32(1)),
                v1.placeholder(tf.float32, []),
            )
            update = v1.train.MomentumOptimizer(rate, 0.9).apply_gradients(
                [(tf.constant(np.float32(1)), theirs)]
            )
            session.run(v1.global_variables_initializer())
            for value in rates:
                session.run(update, {rate: value})
            graph = float(session.run(theirs))
        for value in rates:
            optimizer.learning_rate = value
            optimizer.apply_gradients([(tf.constant(np.float32(1)), variable)])
        return graph, float(variable.numpy())

    assert run([0.1, 0.1])[0] == pytest.approx(run([0.1, 0.1])[1], abs=1e-6)
    graph, keras = run([0.1, 0.01])
    assert graph == pytest.approx(1 - 0.1 - 0.01 * 1.9)
    assert keras == pytest.approx(1 - 0.1 - 0.09 - 0.01)
