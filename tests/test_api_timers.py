"""Clocks at doors: exclusive times with a clock of our own, and real TensorFlow."""

import sys
import types

import numpy as np
import pytest
from test_recorder import Clock

from bench.measure.api_timers import TIMED_FUNCTIONS, ApiTimers


@pytest.fixture
def api():
    """A module with an API that calls into a runtime, and a clock that they move."""
    clock = Clock()
    module = types.ModuleType("api_under_test")

    def runtime():
        clock.now += 4

    def run():
        clock.now += 1
        module.runtime()
        clock.now += 2

    module.runtime, module.run, module.clock = runtime, run, clock
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


DOORS_UNDER_TEST = (
    ("runtime_s", "api_under_test", "runtime"),
    ("api_s", "api_under_test", "run"),
    ("api_s", "no.such.module", "run"),
    ("api_s", "api_under_test", "nothing"),
)


def test_time_goes_to_the_innermost_door_and_what_lies_outside_to_none(api):
    doors = ApiTimers(api.clock)
    doors.open(DOORS_UNDER_TEST)
    api.clock.now += 10
    api.run()
    api.clock.now += 10
    assert doors.take() == {"runtime_s": 4, "api_s": 3}
    assert doors.take() == {
        "runtime_s": 0,
        "api_s": 0,
    }


def test_it_may_be_taken_within_a_door_and_an_exception_does_not_confuse_it(api):
    doors = ApiTimers(api.clock)
    taken = []

    def runtime():
        api.clock.now += 4
        taken.append(doors.take())
        api.clock.now += 5
        raise ValueError

    api.runtime = runtime
    doors.open(DOORS_UNDER_TEST)
    with pytest.raises(ValueError):
        api.run()
    api.clock.now += 100
    assert taken == [{"runtime_s": 4, "api_s": 1}]
    assert doors.take() == {"runtime_s": 5, "api_s": 0}


def test_closing_leaves_everything_as_it_was(api):
    before = api.runtime, api.run
    doors = ApiTimers(api.clock)
    doors.open(DOORS_UNDER_TEST)
    assert api.run is not before[1]
    doors.close()
    assert (api.runtime, api.run) == before


def test_every_door_of_tensorflow_is_there():
    import functools
    import importlib

    import tensorflow as tf

    assert tf.keras.Model
    assert tf.estimator.Estimator
    for _, module, path in TIMED_FUNCTIONS:
        assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module)))


def test_a_real_session_spends_its_time_in_the_runtime_and_in_its_own_python():
    import time

    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        matrix = tf.placeholder(tf.float32, [500, 500])
        product, feed = (
            tf.reduce_sum(matrix @ matrix @ matrix),
            {matrix: np.ones([500, 500], np.float32)},
        )
        session.run(product, feed)
        doors = ApiTimers()
        doors.open()
        began = time.perf_counter()
        for _ in range(20):
            session.run(product, feed)
        wall = time.perf_counter() - began
        spent = doors.take()
        doors.close()
    assert spent["runtime_s"] > spent["api_s"] > 0
    assert spent["runtime_s"] + spent["api_s"] <= wall
