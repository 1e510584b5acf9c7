"""Common random numbers: dropout in two ports has the same mask, whatever generators they use.

The n-th random operation on the way to the loss is given the n-th array of a draw. A v1 graph is
fed these arrays. In Keras, while a function is traced, `RandomUniform`, `RandomStandardNormal` and
`TruncatedNormal` are replaced by calls that return them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_random_ops

from bench.patched import patched

KINDS = {
    "random_uniform": "RandomUniform",
    "random_standard_normal": "RandomStandardNormal",
    "truncated_normal": "TruncatedNormal",
}


def random_numbers(operation: str, shape, draw: int, index: int) -> np.ndarray:
    """Returns the numbers of the random operation with this index in a draw: float32, `shape`.

    `operation` is one of the values of `KINDS`.
    """
    generator = np.random.default_rng([draw, index])
    if operation == "RandomUniform":
        return generator.random(shape, np.float32)
    values = generator.standard_normal(shape, np.float32)
    return np.clip(values, -2, 2) if operation == "TruncatedNormal" else values


class CommonRandomNumbers:
    """Lets random operations of functions traced within `while_tracing` return the numbers of
    `draw`, whose value counts when the function runs."""

    def __init__(self) -> None:
        self.draw = 0
        self._operations: dict[tf.Graph, int] = {}

    @contextlib.contextmanager
    def while_tracing(self) -> Iterator[None]:
        """Replaces TensorFlow's random operations during a call that may trace a function."""
        self._operations = {}
        replacements = {name: self._replacement(kind) for name, kind in KINDS.items()}
        with patched(gen_random_ops, replacements):
            yield

    def _replacement(self, operation: str) -> Callable:
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
        """Returns the number of the next random operation in the outermost function. One call may
        trace several functions, or one function twice."""
        graph = tf.compat.v1.get_default_graph()
        while getattr(graph.outer_graph, "outer_graph", None) is not None:
            graph = graph.outer_graph
        self._operations[graph] = self._operations.get(graph, -1) + 1
        return self._operations[graph]
