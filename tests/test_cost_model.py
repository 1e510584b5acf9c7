import numpy as np
import pytest

from bench.measure.cost_model import fit_cost_model

VALUES = np.array([4e3, 4e4, 4e5, 2e6])


def rounds(fixed_ms, value_ns, noise=0.0, seed=0):
    generator = np.random.default_rng(seed)
    return [
        (fixed_ms + value_ns * 1e-6 * values) * np.exp(generator.normal(0, noise, 9))
        for values in VALUES
    ]


@pytest.mark.fast
def test_a_law_without_noise_is_found_exactly():
    model = fit_cost_model(VALUES, rounds(0.5, 20.0))
    assert (model.fixed_ms, model.value_ns, model.error) == (
        pytest.approx(0.5),
        pytest.approx(20),
        pytest.approx(0, abs=1e-9),
    )
    assert model.fixed == pytest.approx((0.5, 0.5))
    assert model.value == pytest.approx((20, 20))
    assert model.stops_mattering == pytest.approx(0.5e6 * 19 / 20)
    assert model.stops == pytest.approx((model.stops_mattering, model.stops_mattering))
    share = model.fixed_ms / (model.fixed_ms + model.value_ns * 1e-6 * model.stops_mattering)
    assert share == pytest.approx(0.05)


@pytest.mark.fast
def test_no_cost_is_negative():
    model = fit_cost_model(VALUES, [np.full(9, value) for value in (0.01, 0.9, 9.0, 45.0)])
    assert model.fixed_ms >= 0
    assert model.value_ns >= 0


@pytest.mark.fast
def test_something_that_costs_the_same_at_every_size_never_stops_mattering():
    model = fit_cost_model(VALUES, rounds(0.5, 0.0))
    assert model.value_ns == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_the_intervals_hold_the_truth_as_often_as_they_say():
    laws = [fit_cost_model(VALUES, rounds(0.5, 20.0, noise=0.05, seed=seed)) for seed in range(60)]
    assert np.mean([model.fixed[0] <= 0.5 <= model.fixed[1] for model in laws]) >= 0.85
    assert np.mean([model.value[0] <= 20 <= model.value[1] for model in laws]) >= 0.85


@pytest.mark.fast
def test_two_sizes_are_too_few():
    assert fit_cost_model(VALUES[:2], rounds(0.5, 20.0)[:2]) is None
