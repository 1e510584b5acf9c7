"""The float64 reference against numerical derivatives, and against TensorFlow's kernels."""

import numpy as np
import pytest
import tensorflow as tf

from bench.implementations import load_train
from bench.parity.port import PortBatch
from bench.parity.ports.capture import catch_port
from bench.parity.ports.standard import Standard, cross_entropy, windows
from bench.task import Task, initial_weights

GENERATOR = np.random.default_rng(0)
BATCH = PortBatch({"x": GENERATOR.standard_normal((5, 130))}, GENERATOR.integers(0, 2, 5))


def weights():
    generator = np.random.default_rng(1)
    return {
        name: value * 0.2 + 0.05 * generator.standard_normal(value.shape)
        for name, value in initial_weights(130, 2, 1).items()
    }


@pytest.mark.parametrize("loss", ["logits", "activated"])
@pytest.mark.parametrize("name", list(initial_weights(130, 2, 0)))
def test_gradients_are_the_numerical_derivatives(loss, name):
    standard, generator, step = (
        Standard(Task(None, loss, 0, 1, None)),
        np.random.default_rng(2),
        1e-6,
    )
    standard.set_weights(weights())
    gradient = standard.gradients(BATCH, 0)[name]
    for _ in range(3):
        index = tuple(generator.integers(0, size) for size in gradient.shape)
        values = []
        for sign in (1, -1):
            moved = weights()
            moved[name][index] += sign * step
            standard.set_weights(moved)
            values.append(standard.loss(BATCH, True, 0).value)
        assert gradient[index] == pytest.approx(
            (values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-9
        )


def test_cross_entropy_has_the_known_values_and_does_not_overflow():
    losses, gradient = cross_entropy(
        np.array([[1.0, 0.0], [0.0, 0.0], [1000.0, 0.0]]), np.array([0, 1, 1])
    )
    assert losses == pytest.approx([np.log(1 + np.exp(-1)), np.log(2), 1000])
    assert gradient[1] == pytest.approx([0.5, -0.5])


@pytest.mark.parametrize(
    ("length", "size", "stride"), [(130, 16, 4), (33, 4, 4), (9, 16, 2), (5, 4, 4), (8, 4, 4)]
)
def test_padding_is_that_of_tensorflow(length, size, stride):
    x = np.random.default_rng(0).standard_normal((2, length, 3))
    ours = windows(x, size, stride, -np.inf)[0].max(axis=3)
    theirs = tf.nn.max_pool1d(x, size, stride, "SAME").numpy()
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("optimizer", "tolerance"), [("sgd", 1e-6), ("adam", 2e-5)])
def test_keras_agrees_within_float32(tiny_dataset, tmp_path, optimizer, tolerance):
    task = Task(tiny_dataset, "logits", 0, 1, tmp_path, optimizer=optimizer)
    port = catch_port(load_train("impl_keras"), task, evaluating={})
    standard = Standard(task)
    batch = PortBatch({"signal": tiny_dataset.probe.signal / 200}, tiny_dataset.probe.labels)
    for side in (port, standard):
        side.set_weights(task.initial_weights())
    assert port.loss(batch, True, 0).value == pytest.approx(
        standard.loss(batch, True, 0).value, rel=1e-6
    )
    for name, gradient in port.gradients(batch, 0).items():
        exact = standard.gradients(batch, 0)[name]
        assert np.abs(gradient - exact).max() < 1e-5 * np.abs(exact).max()
    for _ in range(3):
        port.step(batch, 0)
        standard.step(batch, 0)
    before = task.initial_weights()
    for name, value in port.weights().items():
        moved = standard.weights()[name] - before[name]
        assert (
            np.sqrt(np.mean((value - standard.weights()[name]) ** 2))
            < tolerance * np.sqrt(np.mean(moved**2)) + 1e-8
        )
