"""Two arrays differ by more than rounding, or not: known answers on both sides of thresholds."""

import numpy as np
import pytest

from bench.parity import rounding
from bench.parity.rounding import judge

pytestmark = pytest.mark.fast

ULP = 2.0**-23
EXACT = np.linspace(1, 2, 1000)


def off_by(error):
    """Returns `EXACT` with an error of the given root mean square."""
    return EXACT + error * np.where(np.arange(1000) % 2, 1, -1)


def test_equal_arrays_are_the_same_to_the_bit_and_shapes_matter():
    assert judge(np.ones(3), np.ones(3), None, 0.0).verdict == "bit"
    assert not rounding.same_bits(np.ones(3), np.ones((3, 1)))
    assert rounding.same_bits(np.array([np.nan]), np.array([np.nan]))


@pytest.mark.parametrize(("factor", "verdict"), [(2.9, "rounding"), (3.1, "different")])
def test_a_port_may_err_a_small_multiple_of_the_better_one(factor, verdict):
    better = off_by(1e-6)
    assert judge(better, off_by(factor * 1e-6), EXACT, 1e-7).verdict == verdict
    assert judge(off_by(factor * 1e-6), better, EXACT, 1e-7).verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(2.9, "rounding"), (3.1, "different")])
def test_without_an_exact_value_the_noise_sets_the_scale(factor, verdict):
    assert judge(EXACT, off_by(factor * 1e-5), None, 1e-5).verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "rounding"), (1.1, "different")])
def test_the_tolerance_is_never_below_half_an_ulp_times_the_multiple(factor, verdict):
    scale = np.sqrt(np.mean(EXACT**2))
    assert judge(EXACT, off_by(factor * 3 * ULP / 2 * scale), None, 0.0).verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(0.99, "rounding"), (1.01, "different")])
def test_an_allowance_is_added(factor, verdict):
    tolerance = 3 * 1e-6 + 1e-3
    assert judge(EXACT, off_by(factor * tolerance), None, 1e-6, allowance=1e-3).verdict == verdict


def test_the_exact_value_of_another_network_is_no_judge():
    """Compares two arrays with the same large error: only their distance counts."""
    assert judge(off_by(0.5), off_by(0.5) + 1e-3, EXACT, 1e-6).verdict == "different"


def test_few_numbers_have_a_larger_multiple():
    assert [rounding.multiple(size) for size in (1, 10, 11, 500, 501)] == [10, 10, 8, 8, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_on_one_side_is_different(bad):
    judged = judge(np.array([1.0, 2.0]), np.array([1.0, bad]), None, 1e9)
    assert judged.verdict == "different"
    assert judged.place == (1,)


def test_the_values_that_differ_most_are_shown_with_their_place():
    candidate = EXACT.copy()
    candidate[500] += 0.25
    judged = judge(EXACT.reshape(10, 100), candidate.reshape(10, 100), None, 0.0)
    assert judged.place == (5, 0)
    assert judged.values[1][1] == candidate[500]
    assert len(judged.values[0]) == 4
    assert judged.ratio > 1000


def test_ulps():
    assert rounding.ulps_between(1.0, 1.0 + 3 * ULP) == pytest.approx(3)
    assert rounding.ulps_between(0.0, np.nan) == np.inf


def test_perturbed_numbers_move_by_one_ulp_and_whole_ones_stay():
    values = np.linspace(-3, 3, 100).astype(np.float32)
    moved = rounding.perturbed(values, np.random.default_rng(0))
    assert np.all(np.abs(moved - values) <= 2 * np.spacing(np.abs(values)))
    assert np.all(moved != values)
    assert moved.dtype == np.float32
    whole = np.arange(5)
    assert rounding.perturbed(whole, np.random.default_rng(0)) is whole


@pytest.mark.parametrize(("error", "verdict"), [(0.9e-3, "rounding"), (1.1e-3, "different")])
def test_an_error_of_a_thousand_times_the_noise_is_another_networks(error, verdict):
    """Up to there the errors of both are compared; beyond, their difference with the noise."""
    port = off_by(error)
    assert judge(port, port + 1e-5, EXACT, 1e-6).verdict == verdict


def test_what_is_not_finite_is_different_even_if_the_noise_is_not_finite():
    judged = judge(np.array([1.0, 2.0]), np.array([1.0, np.inf]), None, np.inf)
    assert judged.verdict == "different"


def test_the_movement_is_the_largest():
    centre = np.zeros(3, np.float32)
    assert rounding.movement([centre + 1, centre + 3, centre - 2], centre) == 3
    assert rounding.movement([], centre) == 0


def test_perturbed_numbers_move_up_and_down():
    values = np.ones(100, np.float32)
    moved = rounding.perturbed(values, np.random.default_rng(0))
    assert (moved > 1).any()
    assert (moved < 1).any()


def test_ulps_are_those_of_the_larger_value():
    assert rounding.ulps_between(1.0, 4.0) == 3 / (4 * ULP)
    assert rounding.ulps_between(-4.0, 1.0) == 5 / (4 * ULP)


def test_the_ratio_where_nothing_is_tolerated():
    assert rounding.Judgement("bit").ratio == 0
    assert rounding.Judgement("different", error=1.0).ratio == np.inf


@pytest.mark.parametrize("place", [0, 998, 999])
def test_four_values_are_shown_at_the_ends_too(place):
    candidate = EXACT.copy()
    candidate[place] += 0.25
    judged = judge(EXACT, candidate, None, 0.0)
    assert [len(values) for values in judged.values] == [4, 4]
    assert candidate[place] in judged.values[1]
