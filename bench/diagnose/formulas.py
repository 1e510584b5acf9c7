"""Formulas of losses, and which of them a port's loss is.

All known formulas are tried on the port's own outputs and labels. Their sources are
`tf.nn.softmax_cross_entropy_with_logits`, keras/src/backend.py
(`sparse_categorical_crossentropy`, `categorical_crossentropy`, `binary_crossentropy`, with clipping
at 1e-7), and the wrong arguments in `bench.traps.gallery`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CLIP = 1e-7
"""Distance from 0 and 1 at which Keras clips probabilities."""

TOP = float(np.float32(1 - CLIP))
"""Largest clipped probability, 1 - 1.19e-7 in float32.

A wrong prediction with that probability has a loss of -ln(1.19e-7 + 1e-7) = 15.33.
"""

TOLERANCE = 1e-4
"""Relative and absolute tolerance of a loss: formulas differ by more, float32 by less."""


@dataclass(frozen=True)
class Formula:
    """The formula of a loss.

    Attributes:
        name: name of the formula.
        takes: what it takes: `logits`, `probabilities` or `values`.
        losses: the function: (outputs [samples, columns], labels) to losses [samples].
        cause: the cause in `bench.diagnose.causes` if the formula is wrong, else "".
    """

    name: str
    takes: str
    losses: Callable[[np.ndarray, np.ndarray], np.ndarray]
    cause: str = ""


def log_softmax(outputs: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the softmax over the columns, [samples, columns]."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _binary(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the sigmoid cross-entropy of logits for every column."""
    return np.maximum(outputs, 0) - outputs * labels + np.log1p(np.exp(-np.abs(outputs)))


def _binary_of_probabilities(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    clipped = np.clip(outputs, CLIP, TOP)
    return -labels * np.log(clipped + CLIP) - (1 - labels) * np.log(1 - clipped + CLIP)


def _rescaled(outputs: np.ndarray) -> np.ndarray:
    return np.clip(outputs / outputs.sum(axis=1, keepdims=True), CLIP, 1 - CLIP)


def _column(one_hot: np.ndarray) -> np.ndarray:
    """Returns one-hot labels as a column of whole numbers."""
    return one_hot.argmax(axis=1).astype(float)[:, np.newaxis]


def _moved(one_hot: np.ndarray, by: int) -> np.ndarray:
    """Returns `one_hot(labels + by)`, with rows of zeros for labels that are not classes."""
    labels = one_hot.argmax(axis=1) + by
    moved = np.zeros_like(one_hot)
    inside = (labels >= 0) & (labels < one_hot.shape[1])
    moved[np.flatnonzero(inside), labels[inside]] = 1
    return moved


MULTICLASS = (
    Formula(
        "softmax cross-entropy of logits", "logits", lambda z, y: -(y * log_softmax(z)).sum(axis=1)
    ),
    Formula(
        "cross-entropy of probabilities",
        "probabilities",
        lambda z, y: -(y * np.log(_rescaled(z))).sum(axis=1),
    ),
    Formula(
        "cross-entropy of probabilities",
        "probabilities",
        lambda z, y: -(y * log_softmax(np.log(np.clip(z, CLIP, 1 - CLIP)))).sum(axis=1),
    ),
    Formula(
        "-log of the right class's output",
        "probabilities",
        lambda z, y: -np.log(np.clip((y * z).sum(axis=1), CLIP, 1.0)),
    ),
    Formula("sigmoid cross-entropy of logits", "logits", lambda z, y: _binary(z, y).mean(axis=1)),
    Formula("sigmoid cross-entropy of logits", "logits", lambda z, y: _binary(z, y).sum(axis=1)),
    Formula(
        "binary cross-entropy of probabilities",
        "probabilities",
        lambda z, y: _binary_of_probabilities(z, y).mean(axis=1),
    ),
    Formula("squared error", "values", lambda z, y: np.square(z - y).mean(axis=1)),
    Formula("absolute error", "values", lambda z, y: np.abs(z - y).mean(axis=1)),
    Formula(
        "softmax cross-entropy with labels and logits swapped",
        "logits",
        lambda z, y: -(z * log_softmax(y)).sum(axis=1),
        "swapped_arguments",
    ),
    Formula(
        "cross-entropy of probabilities with labels and outputs swapped",
        "probabilities",
        lambda z, y: -(z * np.log(np.clip(y, CLIP, 1 - CLIP))).sum(axis=1),
        "swapped_arguments",
    ),
    Formula(
        "softmax cross-entropy with labels broadcast over the classes",
        "logits",
        lambda z, y: -(_column(y) * log_softmax(z)).sum(axis=1),
        "broadcast_labels",
    ),
    Formula(
        "sigmoid cross-entropy with labels broadcast over the outputs",
        "logits",
        lambda z, y: _binary(z, _column(y)).mean(axis=1),
        "broadcast_labels",
    ),
    Formula(
        "binary cross-entropy of probabilities with labels broadcast over the outputs",
        "probabilities",
        lambda z, y: _binary_of_probabilities(z, _column(y)).mean(axis=1),
        "broadcast_labels",
    ),
    Formula(
        "squared error with labels broadcast over the outputs",
        "values",
        lambda z, y: np.square(z - _column(y)).mean(axis=1),
        "broadcast_labels",
    ),
    Formula(
        "softmax cross-entropy with labels - 1",
        "logits",
        lambda z, y: -(_moved(y, -1) * log_softmax(z)).sum(axis=1),
        "shifted_labels",
    ),
    Formula(
        "softmax cross-entropy with labels + 1",
        "logits",
        lambda z, y: -(_moved(y, 1) * log_softmax(z)).sum(axis=1),
        "shifted_labels",
    ),
)
"""Formulas for outputs [samples, classes] and one-hot labels."""

BINARY = (
    Formula("sigmoid cross-entropy of logits", "logits", lambda z, y: _binary(z, y).mean(axis=1)),
    Formula(
        "binary cross-entropy of probabilities",
        "probabilities",
        lambda z, y: _binary_of_probabilities(z, y).mean(axis=1),
    ),
    Formula("squared error", "values", lambda z, y: np.square(z - y).mean(axis=1)),
    Formula("absolute error", "values", lambda z, y: np.abs(z - y).mean(axis=1)),
)
"""Formulas for outputs [samples, 1] and labels [samples, 1]."""


def recognise(outputs: np.ndarray, labels: np.ndarray, losses: np.ndarray) -> Formula | None:
    """Returns the first formula that gives these losses [samples] for outputs [samples, columns].

    Rows whose loss is 0 or infinite are not compared, because a sample weight of 0 does not change
    the formula.

    Returns:
        The formula. None if no formula fits, or if formulas of logits and of probabilities both
        fit, as they do for outputs that are all equal.
    """
    if outputs.ndim != 2 or outputs.shape[1] == 0 or not len(losses) == len(outputs) == len(labels):
        return None
    compared = np.isfinite(losses)
    if compared.sum() < 2:
        return None
    found = []
    for formula in MULTICLASS if outputs.shape[1] > 1 else BINARY:
        expected = losses_of(formula, outputs, labels)
        if expected is not None and _agree(expected[compared], losses[compared].astype(np.float64)):
            found.append(formula)
    return found[0] if len({formula.takes for formula in found}) == 1 else None


def losses_of(formula: Formula, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Returns the losses [samples] by a formula, in float64.

    The result is None for labels that do not fit the outputs.
    """
    targets = _targets(labels, outputs.shape[1])
    if targets is None:
        return None
    with np.errstate(all="ignore"):
        return formula.losses(outputs.astype(np.float64), targets)


def _agree(expected: np.ndarray, losses: np.ndarray) -> bool:
    weighed = losses != 0
    if weighed.any() and not weighed.all() and np.abs(expected[weighed]).min() > 0:
        expected, losses = expected[weighed], losses[weighed]
    return bool(
        np.all(np.isfinite(expected))
        and np.all(np.abs(expected - losses) <= TOLERANCE * (1 + np.abs(losses)))
    )


def _targets(labels: np.ndarray, columns: int) -> np.ndarray | None:
    """Returns the labels as the formulas take them: one-hot, or as a column."""
    if columns == 1:
        return (
            labels.reshape(len(labels), -1).astype(np.float64)
            if labels.size == len(labels)
            else None
        )
    if labels.ndim == 2 and labels.shape[1] == columns:
        return labels.astype(np.float64)
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != 1 or flat.min() < 0 or flat.max() >= columns:
        return None
    return np.eye(columns)[flat[:, 0].astype(int)]
