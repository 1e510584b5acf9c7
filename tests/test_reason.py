"""Real errors of TensorFlow, told in one line."""

import pytest
import tensorflow as tf

from bench.process.reason import one_line


def failing(kind, function):
    with pytest.raises(kind) as caught:
        function()
    return one_line(caught.value)


def test_the_first_line_and_no_more():
    assert one_line(ValueError("no good\nsee below")) == "ValueError: no good"
    assert one_line(ValueError()) == one_line(ValueError(" \n")) == "ValueError"
    assert one_line(ValueError("x" * 300)) == "ValueError: " + "x" * 200


def test_of_an_error_in_a_graph_what_went_wrong_and_not_where_the_operation_was_made():
    @tf.function
    def check(value):
        tf.debugging.assert_equal(value, 1, message="not one")

    assert failing(tf.errors.InvalidArgumentError, lambda: check(tf.constant(2))).startswith(
        "InvalidArgumentError: assertion failed: [not one]"
    )


def test_of_an_error_while_tracing_what_was_raised():
    @tf.function
    def build(value):
        raise ValueError("cannot be built")

    assert failing(ValueError, lambda: build(tf.constant(2))).endswith(
        "ValueError: cannot be built"
    )
