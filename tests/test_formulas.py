"""Losses are recognised by their values and told from similar losses."""

import numpy as np
import pytest
import tensorflow as tf

from bench.diagnose.formulas import recognise

GENERATOR = np.random.default_rng(3)
LABELS = GENERATOR.integers(0, 3, 40)
LOGITS = GENERATOR.standard_normal((40, 3)).astype(np.float32)
SOFTMAX = tf.nn.softmax(LOGITS).numpy()
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
losses = tf.keras.losses


@pytest.mark.parametrize(
    ("computed", "outputs", "name", "takes", "cause"),
    [
        (
            losses.sparse_categorical_crossentropy(LABELS, LOGITS, from_logits=True),
            LOGITS,
            "softmax cross-entropy of logits",
            "logits",
            "",
        ),
        (
            losses.sparse_categorical_crossentropy(LABELS, SOFTMAX),
            SOFTMAX,
            "cross-entropy of probabilities",
            "probabilities",
            "",
        ),
        (
            losses.categorical_crossentropy(ONE_HOT, SOFTMAX),
            SOFTMAX,
            "cross-entropy of probabilities",
            "probabilities",
            "",
        ),
        (
            losses.sparse_categorical_crossentropy(LABELS, SOFTMAX, from_logits=True),
            SOFTMAX,
            "softmax cross-entropy of logits",
            "logits",
            "",
        ),
        (
            losses.sparse_categorical_crossentropy(LABELS, LOGITS),
            LOGITS,
            "cross-entropy of probabilities",
            "probabilities",
            "",
        ),
        (
            losses.binary_crossentropy(ONE_HOT, LOGITS, from_logits=True),
            LOGITS,
            "sigmoid cross-entropy of logits",
            "logits",
            "",
        ),
        (losses.mean_squared_error(ONE_HOT, LOGITS), LOGITS, "squared error", "values", ""),
        (
            tf.nn.softmax_cross_entropy_with_logits(labels=LOGITS, logits=ONE_HOT),
            LOGITS,
            "softmax cross-entropy with labels and logits swapped",
            "logits",
            "swapped_arguments",
        ),
        (
            tf.nn.softmax_cross_entropy_with_logits(
                labels=LABELS[:, None].astype(np.float32), logits=LOGITS
            ),
            LOGITS,
            "softmax cross-entropy with labels broadcast over the classes",
            "logits",
            "broadcast_labels",
        ),
        (
            tf.nn.softmax_cross_entropy_with_logits(
                labels=tf.one_hot(LABELS - 1, 3), logits=LOGITS
            ),
            LOGITS,
            "softmax cross-entropy with labels - 1",
            "logits",
            "shifted_labels",
        ),
        (
            tf.nn.softmax_cross_entropy_with_logits(
                labels=tf.one_hot(LABELS + 1, 3), logits=LOGITS
            ),
            LOGITS,
            "softmax cross-entropy with labels + 1",
            "logits",
            "shifted_labels",
        ),
    ],
)
def test_tensorflows_own_losses_are_recognised(computed, outputs, name, takes, cause):
    formula = recognise(outputs, LABELS, np.array(computed))
    assert (formula.name, formula.takes, formula.cause) == (name, takes, cause)
    assert recognise(outputs, ONE_HOT, np.array(computed)).name == name


@pytest.mark.parametrize(
    ("from_logits", "name"),
    [(True, "sigmoid cross-entropy of logits"), (False, "binary cross-entropy of probabilities")],
)
def test_a_single_column(from_logits, name):
    outputs, labels = SOFTMAX[:, :1], (LABELS == 0).astype(np.float32)
    computed = losses.binary_crossentropy(labels[:, None], outputs, from_logits=from_logits)
    assert recognise(outputs, labels, np.array(computed)).name == name


def test_what_is_none_of_them_is_not_recognised():
    computed = np.array(losses.sparse_categorical_crossentropy(LABELS, LOGITS, from_logits=True))
    assert recognise(LOGITS, LABELS, computed * 1.01) is None
    assert recognise(LOGITS, LABELS, computed * (1 + 1e-6)) is not None
    assert recognise(LOGITS, LABELS[:-1], computed) is None
    assert recognise(LOGITS, LABELS + 7, computed) is None


def test_weights_of_zero_do_not_hide_a_formula():
    computed = np.array(losses.sparse_categorical_crossentropy(LABELS, LOGITS, from_logits=True))
    assert (
        recognise(LOGITS, LABELS, computed * (np.arange(40) % 3 > 0)).name
        == "softmax cross-entropy of logits"
    )
