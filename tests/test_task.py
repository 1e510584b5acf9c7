import numpy as np
import pytest

from bench.task import initial_weights

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("length", "flat", "parameters"), [(130, 2 * 32, 12_786), (60_000, 469 * 32, 969_202)]
)
def test_initial_weights_have_the_shapes_of_the_standard_network(length, flat, parameters):
    weights = initial_weights(length, classes=2, seed=0)
    assert {name: value.shape for name, value in weights.items()} == {
        "conv1/kernel": (16, 1, 16),
        "conv1/bias": (16,),
        "conv2/kernel": (16, 16, 32),
        "conv2/bias": (32,),
        "dense1/kernel": (flat, 64),
        "dense1/bias": (64,),
        "dense2/kernel": (64, 2),
        "dense2/bias": (2,),
    }
    assert sum(value.size for value in weights.values()) == parameters


def test_initial_weights_are_glorot_uniform():
    kernel = initial_weights(130, classes=2, seed=0)["conv2/kernel"]
    limit = np.sqrt(6 / (16 * 16 + 16 * 32))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert kernel.dtype == np.float32


def test_a_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (initial_weights(130, 2, seed)["dense2/kernel"] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
