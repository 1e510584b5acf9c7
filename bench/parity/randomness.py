"""Common random numbers: dropout in two ports draws the same mask, though their streams have nothing in common.

The n-th random operation on the way to the loss is given the n-th array of a draw. A v1 graph is fed them; in Keras
`RandomUniform` and its siblings are replaced, while a function is traced, by calls that return them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_random_ops

KINDS = {"random_uniform": "RandomUniform", "random_standard_normal": "RandomStandardNormal",
         "truncated_normal": "TruncatedNormal"}


def random_numbers(operation: str, shape, draw: int, index: int) -> np.ndarray:
    """What the random operation number `index` of a kind draws: float32 of `shape`."""
    generator = np.random.default_rng([draw, index])
    if operation == "RandomUniform":
        return generator.random(shape, np.float32)
    values = generator.standard_normal(shape, np.float32)
    return np.clip(values, -2, 2) if operation == "TruncatedNormal" else values


class CommonRandomNumbers:
    """The random operations of functions traced within `while_tracing` return the numbers of `draw`."""

    def __init__(self) -> None:
        self.draw = 0
        self.operations = 0

    @contextlib.contextmanager
    def while_tracing(self) -> Iterator[None]:
        """To be entered around a call that traces: the operations are numbered from 0 again."""
        originals = {name: getattr(gen_random_ops, name) for name in KINDS}
        self.operations = 0
        for name, operation in KINDS.items():
            setattr(gen_random_ops, name, self._replacement(operation))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(gen_random_ops, name, original)

    def _replacement(self, operation: str):
        def given(shape, dtype, seed=0, seed2=0, name=None):
            index = self.operations
            self.operations += 1
            values = tf.numpy_function(
                lambda size: random_numbers(operation, tuple(size), self.draw, index), [shape], tf.float32)
            values = tf.cast(values, dtype)
            static = tf.get_static_value(tf.convert_to_tensor(shape))
            return values if static is None else tf.ensure_shape(values, static)

        return given
