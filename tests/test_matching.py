"""Variables and activations of two ports are matched, in whatever layout."""

import numpy as np
import pytest

from bench.parity.matching import align_activations, match_variables
from bench.parity.port import Activation, Variable

pytestmark = pytest.mark.fast


def variable(name, *shape, trainable=True, layout=None):
    return Variable(name, shape, "float32", trainable, layout or tuple(range(len(shape))))


def names(match):
    return {pair.reference.name: (pair.candidate.name, pair.by) for pair in match.pairs}


def test_equal_names_come_before_order():
    match = match_variables(
        [variable("a", 3, 3), variable("b", 3, 3)], [variable("b", 3, 3), variable("a", 3, 3)], {}
    )
    assert names(match) == {"a": ("a", "name"), "b": ("b", "name")}
    assert match.complete


def test_scopes_in_front_do_not_matter():
    match = match_variables(
        [variable("conv/kernel", 3, 3)], [variable("model/conv/kernel", 3, 3)], {}
    )
    assert names(match)["conv/kernel"] == ("model/conv/kernel", "name")


def test_other_names_go_by_order_and_shape():
    match = match_variables(
        [variable("w", 4, 2), variable("v", 4, 2), variable("c", 2)],
        [variable("k0", 4, 2), variable("b0", 2), variable("k1", 4, 2)],
        {},
    )
    assert names(match) == {
        "w": ("k0", "order and shape"),
        "v": ("k1", "order and shape"),
        "c": ("b0", "order and shape"),
    }


def test_a_map_comes_before_everything():
    match = match_variables(
        [variable("a", 3), variable("b", 3)], [variable("a", 3), variable("b", 3)], {"a": "b"}
    )
    assert names(match) == {"a": ("b", "map"), "b": ("a", "order and shape")}


def test_moving_statistics_do_not_take_the_place_of_weights():
    match = match_variables(
        [variable("m", 3, trainable=False), variable("g", 3)],
        [variable("x", 3), variable("y", 3, trainable=False)],
        {},
    )
    assert {name: other for name, (other, _) in names(match).items()} == {"m": "y", "g": "x"}


def test_what_is_alone_is_said_to_be():
    match = match_variables(
        [variable("a", 3), variable("b", 4)], [variable("a", 3), variable("c", 5)], {}
    )
    assert not match.complete
    assert [lone.name for lone in match.reference_only + match.candidate_only] == ["b", "c"]


@pytest.mark.parametrize(
    ("reference", "candidate", "index"),
    [
        (variable("k", 4, 2), variable("k", 2, 4, layout=(1, 0)), (1, 3)),
        (variable("k", 3, 3), variable("k", 3, 3, layout=(1, 0)), (1, 2)),
        (variable("k", 5, 2, 3), variable("k", 3, 2, 5), (2, 1, 4)),
        (variable("k", 5, 1, 3), variable("k", 1, 5, 1, 3), (0, 4, 0, 2)),
    ],
)
def test_layouts_are_converted_there_and_back(reference, candidate, index):
    pair = match_variables([reference], [candidate], {}).pairs[0]
    value = np.arange(np.prod(reference.shape)).reshape(reference.shape)
    theirs = pair.to_candidate(value)
    assert theirs.shape == candidate.shape
    assert theirs[index] in value
    assert np.array_equal(pair.to_reference(theirs), value)


def test_a_transposed_square_kernel_is_transposed():
    pair = match_variables([variable("k", 2, 2)], [variable("k", 2, 2, layout=(1, 0))], {}).pairs[0]
    assert np.array_equal(pair.to_candidate(np.array([[1, 2], [3, 4]])), [[1, 3], [2, 4]])


def activation(operation, *shape):
    return Activation(operation, operation, np.zeros((8, *shape)))


def test_activations_match_by_shape_and_operation():
    reference = [
        activation("Conv2D", 1, 9, 4),
        activation("BiasAdd", 9, 4),
        activation("Relu", 9, 4),
        activation("MatMul", 3),
    ]
    candidate = [
        activation("Conv2D", 9, 1, 4),
        activation("AddV2", 9, 4),
        activation("Relu", 9, 4),
        activation("MatMul", 3),
    ]
    assert align_activations(reference, candidate) == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_of_unequal_operations_the_last_is_the_layers_output():
    reference = [activation("LeakyRelu", 4), activation("MatMul", 3)]
    candidate = [activation("Mul", 4), activation("Maximum", 4), activation("MatMul", 3)]
    assert align_activations(reference, candidate) == [(0, 1), (1, 2)]


def test_no_common_shape_no_match():
    assert align_activations([activation("MatMul", 3)], [activation("MatMul", 4)]) == []
