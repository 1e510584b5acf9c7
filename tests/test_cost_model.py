import numpy as np
import pytest

from bench.measure.cost_model import fit_law

VALUES = np.array([4e3, 4e4, 4e5, 2e6])


def rounds(fixed_ms, value_ns, noise=0.0, seed=0):
    generator = np.random.default_rng(seed)
    return [(fixed_ms + value_ns * 1e-6 * values) * np.exp(generator.normal(0, noise, 9)) for values in VALUES]


def test_a_law_without_noise_is_found_exactly():
    law = fit_law(VALUES, rounds(0.5, 20.0))
    assert (law.fixed_ms, law.value_ns, law.error) == (pytest.approx(0.5), pytest.approx(20), pytest.approx(0, abs=1e-9))
    assert law.fixed == pytest.approx((0.5, 0.5)) and law.value == pytest.approx((20, 20))
    assert law.stops_mattering == pytest.approx(0.5e6 * 19 / 20)
    assert law.stops == pytest.approx((law.stops_mattering, law.stops_mattering))
    share = law.fixed_ms / (law.fixed_ms + law.value_ns * 1e-6 * law.stops_mattering)
    assert share == pytest.approx(0.05)


def test_no_cost_is_negative():
    law = fit_law(VALUES, [np.full(9, value) for value in (0.01, 0.9, 9.0, 45.0)])
    assert law.fixed_ms >= 0 and law.value_ns >= 0


def test_something_that_costs_the_same_at_every_size_never_stops_mattering():
    law = fit_law(VALUES, rounds(0.5, 0.0))
    assert law.value_ns == pytest.approx(0, abs=1e-6)


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    laws = [fit_law(VALUES, rounds(0.5, 20.0, noise=0.05, seed=seed)) for seed in range(60)]
    assert np.mean([law.fixed[0] <= 0.5 <= law.fixed[1] for law in laws]) >= 0.85
    assert np.mean([law.value[0] <= 20 <= law.value[1] for law in laws]) >= 0.85


def test_two_sizes_are_too_few():
    assert fit_law(VALUES[:2], rounds(0.5, 20.0)[:2]) is None
