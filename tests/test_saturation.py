import numpy as np
import pytest

from bench.measure.saturation import EPSILON, alike, right, saturated_rows, saturated_share

RIGHT, ALIKE = right(2).value, alike(2).value
WRONG = 1 + RIGHT


@pytest.mark.parametrize(
    ("row", "label", "constant"),
    [
        ([0, 1], 1, RIGHT),
        ([1, 0], 0, RIGHT),
        ([1, 0], 1, WRONG),
        ([0, 1], 0, WRONG),
        ([1, 1], 0, ALIKE),
        ([0, 0], 1, ALIKE),
    ],
)
def test_the_constants_are_what_tensorflow_computes_and_their_gradient_is_zero(
    row, label, constant
):
    import tensorflow as tf

    logits = tf.constant([[100.0 if value else -200.0 for value in row]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits([label], tf.sigmoid(logits))
    assert float(loss[0]) == pytest.approx(constant, abs=1e-6)
    assert np.all(tape.gradient(loss, logits).numpy() == 0)


@pytest.mark.fast
def test_the_seeds_own_loss_is_explained():
    rows = saturated_rows(np.tile([0.0, 1.0], (100, 1)), np.repeat([1, 0], [52, 48]))
    assert rows.loss == pytest.approx(0.79326165, abs=1e-7)


@pytest.mark.fast
def test_rows_are_told_apart():
    outputs = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]], float)
    rows = saturated_rows(outputs, np.array([0, 0, 1, 0, 0]))
    assert (rows.right, rows.wrong, rows.alike, rows.mixed, rows.total) == (2, 1, 2, 0, 5)
    assert rows.loss == pytest.approx((2 * RIGHT + WRONG + 2 * ALIKE) / 5)


@pytest.mark.fast
def test_of_three_classes_too():
    outputs = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0], [0, 1, 1]], float)
    rows = saturated_rows(outputs, np.array([0, 1, 2, 2, 2]))
    assert (rows.right, rows.wrong, rows.alike, rows.mixed) == (1, 1, 1, 2)
    exact = -np.log(np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True))[
        np.arange(5), [0, 1, 2, 2, 2]
    ]
    assert rows.loss == pytest.approx(exact.mean(), abs=1e-12)
    assert exact[:3] == pytest.approx(
        [right(3).value, 1 + right(3).value, alike(3).value], abs=1e-12
    )
    assert str(right(3)) == "ln(1+2/e) = 0.5514"
    assert str(alike(3)) == "ln 3 = 1.0986"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("value", "saturated"),
    [
        (0.0, True),
        (EPSILON, True),
        (1.01 * EPSILON, False),
        (0.5, False),
        (1 - 1.01 * EPSILON, False),
        (1 - EPSILON, True),
        (1.0, True),
    ],
)
def test_both_sides_of_the_threshold(value, saturated):
    outputs = np.array([[value, 1.0]])
    assert saturated_share(outputs, "activated") == (1.0 if saturated else 0.5)
    assert (saturated_rows(outputs, np.array([0])) is not None) == saturated


@pytest.mark.fast
def test_logits_cannot_saturate():
    assert saturated_share(np.array([[0.0, 1.0]]), "logits") == 0
