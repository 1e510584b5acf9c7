"""Clocks around timed functions: exclusive times with a clock of our own, and real TensorFlow."""

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


FUNCTIONS_UNDER_TEST = (
    ("runtime_s", "api_under_test", "runtime"),
    ("api_s", "api_under_test", "run"),
    ("api_s", "package.never.imported", "run"),
)


@pytest.mark.fast
def test_time_goes_to_the_innermost_function_and_what_lies_outside_to_none(api):
    timers = ApiTimers(api.clock)
    timers.open(FUNCTIONS_UNDER_TEST)
    api.clock.now += 10
    api.run()
    api.clock.now += 10
    assert timers.take() == {"runtime_s": 4, "api_s": 3}
    assert timers.take() == {
        "runtime_s": 0,
        "api_s": 0,
    }


@pytest.mark.fast
def test_it_may_be_taken_within_a_timed_function_and_an_exception_does_not_confuse_it(api):
    timers = ApiTimers(api.clock)
    taken = []

    def runtime():
        api.clock.now += 4
        taken.append(timers.take())
        api.clock.now += 5
        raise ValueError("in the runtime")

    api.runtime = runtime
    timers.open(FUNCTIONS_UNDER_TEST)
    with pytest.raises(ValueError, match="in the runtime"):
        api.run()
    api.clock.now += 100
    assert taken == [{"runtime_s": 4, "api_s": 1}]
    assert timers.take() == {"runtime_s": 5, "api_s": 0}


@pytest.mark.fast
def test_closing_leaves_everything_as_it_was(api):
    before = api.runtime, api.run
    timers = ApiTimers(api.clock)
    timers.open(FUNCTIONS_UNDER_TEST)
    assert api.run is not before[1]
    timers.close()
    assert (api.runtime, api.run) == before


@pytest.mark.fast
def test_a_renamed_function_raises_with_its_name_and_nothing_stays_installed(api):
    before = api.runtime, api.run
    for renamed in ("renamed", "Renamed.run", "run.renamed"):
        with pytest.raises(AttributeError, match=r"has no attribute '[Rr]enamed'"):
            ApiTimers(api.clock).open((*FUNCTIONS_UNDER_TEST, ("api_s", "api_under_test", renamed)))
        assert (api.runtime, api.run) == before


@pytest.mark.fast
def test_a_module_that_its_imported_package_does_not_have_raises_with_its_name(api):
    before = api.runtime, api.run
    for module in ("json.renamed", "json.renamed.inner"):
        with pytest.raises(ModuleNotFoundError, match=r"'json' has no module 'renamed'"):
            ApiTimers(api.clock).open((*FUNCTIONS_UNDER_TEST, ("api_s", module, "run")))
        assert (api.runtime, api.run) == before


@pytest.mark.fast
def test_a_module_never_imported_is_passed_by_and_stays_so(api, monkeypatch):
    monkeypatch.delitem(sys.modules, "json.tool", raising=False)
    timers = ApiTimers(api.clock)
    timers.open((*FUNCTIONS_UNDER_TEST, ("api_s", "json.tool", "main")))
    api.run()
    assert timers.take() == {"runtime_s": 4, "api_s": 3}
    timers.close()
    assert "json.tool" not in sys.modules
    assert "package" not in sys.modules


def test_every_timed_function_of_tensorflow_is_there():
    import functools
    import importlib

    import tensorflow as tf

    assert tf.keras.Model
    assert tf.estimator.Estimator
    timers, before = ApiTimers(), tf.compat.v1.Session.run
    timers.open()
    assert tf.compat.v1.Session.run is not before
    timers.close()
    assert tf.compat.v1.Session.run is before
    for _, module, path in TIMED_FUNCTIONS:
        assert module in sys.modules  # after `import tensorflow`: none is passed by
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
        timers = ApiTimers()
        timers.open()
        began = time.perf_counter()
        for _ in range(20):
            session.run(product, feed)
        wall = time.perf_counter() - began
        spent = timers.take()
        timers.close()
    assert spent["runtime_s"] > spent["api_s"] > 0
    assert spent["runtime_s"] + spent["api_s"] <= wall
