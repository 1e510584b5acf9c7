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

KINDS = {
    "random_uniform": "RandomUniform",
    "random_standard_normal": "RandomStandardNormal",
    "truncated_normal": "TruncatedNormal",
}


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
        self._operations: dict = {}

    @contextlib.contextmanager
    def while_tracing(self) -> Iterator[None]:
        """To be entered around a call that may trace."""
        originals = {name: getattr(gen_random_ops, name) for name in KINDS}
        self._operations = {}
        for name, operation in KINDS.items():
            setattr(gen_random_ops, name, self._replacement(operation))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(gen_random_ops, name, original)

    def _replacement(self, operation: str):
        def given(shape, dtype, seed=0, seed2=0, name=None):
            index = self._next_index()
            values = tf.numpy_function(
                lambda size: random_numbers(operation, tuple(size), self.draw, index),
                [shape],
                tf.float32,
            )
            values = tf.cast(values, dtype)
            static = tf.get_static_value(tf.convert_to_tensor(shape))
            return values if static is None else tf.ensure_shape(values, static)

        return given

    def _next_index(self) -> int:
        """Operations are numbered within the outermost function, of which a call may trace several, or one twice."""
        graph = tf.compat.v1.get_default_graph()
        while getattr(graph.outer_graph, "outer_graph", None) is not None:
            graph = graph.outer_graph
        self._operations[graph] = self._operations.get(graph, -1) + 1
        return self._operations[graph]
