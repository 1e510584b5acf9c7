"""Ratios, intervals and verdicts: known answers, and coverage of the intervals by simulation."""

import numpy as np
import pytest
from conftest import slow_after

from bench.measure.statistics import (
    Ratio,
    median_interval,
    ratio_of_independent_medians,
    ratio_of_medians,
)


@pytest.mark.fast
def test_a_constant_ratio_has_an_interval_of_no_width():
    base = np.array([1.0, 1.1, 0.9, 1.2, 1.0, 0.8])
    ratio = ratio_of_medians(2 * base, base)
    assert ratio == Ratio(pytest.approx(2), pytest.approx(2), pytest.approx(2), 6)
    assert ratio.precision == 0


@pytest.mark.fast
def test_what_disturbs_a_round_disturbs_both_and_cancels():
    base = np.array([1.0, 1.0, 5.0, 1.0, 1.0, 7.0, 1.0, 1.0])
    ratio = ratio_of_medians(1.1 * base, base)
    assert (ratio.low, ratio.high) == (pytest.approx(1.1), pytest.approx(1.1))


@pytest.mark.fast
def test_too_few_rounds_have_a_ratio_and_no_interval():
    ratio = ratio_of_medians(np.full(5, 2.0), np.ones(5))
    assert ratio.value == 2
    assert np.isnan([ratio.low, ratio.high]).all()
    assert ratio.verdict() == "unresolved"


@pytest.mark.fast
@pytest.mark.parametrize(("values", "base"), [(np.ones(3), np.ones(4)), (np.ones(0), np.ones(0))])
def test_rounds_must_be_paired(values, base):
    with pytest.raises(ValueError, match="paired"):
        ratio_of_medians(values, base)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.96, 1.04, "equivalent"),
        (1.01, 1.04, "equivalent"),
        (0.96, 1.06, "unresolved"),
        (1.01, 1.06, "faster"),
        (0.94, 0.99, "slower"),
        (0.94, 1.01, "unresolved"),
        (1 / 1.05, 1.0, "unresolved"),
        (1 / 1.0499, 1.0, "equivalent"),
    ],
)
def test_the_verdict_on_both_sides_of_every_threshold(low, high, verdict):
    assert Ratio(1.0, low, high, 10).verdict(0.05) == verdict


@pytest.mark.parametrize("rounds", [6, 12])
@pytest.mark.parametrize("outliers", slow_after(1, [0.1, 0.0]))
@pytest.mark.parametrize("truth", slow_after(1, [1.0, 0.8]))
def test_the_interval_covers_the_truth_as_often_as_it_says(rounds, outliers, truth):
    """Simulates 300 experiments, in which outliers hit one side at a time.

    The number covered is binomial: three standard deviations around 95 % are 91.2 to 98.8 %.
    """
    generator = np.random.default_rng(rounds)
    covered = 0
    for experiment in range(300):
        drift = np.exp(generator.normal(0, 0.1, rounds))
        noise = np.exp(generator.normal(0, 0.03, (2, rounds))) * np.where(
            generator.random((2, rounds)) < outliers, 1.3, 1
        )
        ratio = ratio_of_medians(truth * drift * noise[0], drift * noise[1], seed=experiment)
        covered += ratio.low <= truth <= ratio.high
    assert 0.912 <= covered / 300 <= 0.999


@pytest.mark.parametrize(("rounds", "others"), slow_after(1, [(8, 8), (16, 16), (16, 24)]))
def test_the_interval_of_two_runs_holds_the_true_ratio(rounds, others):
    """Simulates 300 pairs of runs that share no rounds; the interval covers at least 90 %."""
    generator = np.random.default_rng(rounds + others)
    inside = 0
    for trial in range(300):
        values, base = (
            median * np.exp(generator.normal(0, 0.1, count))
            for median, count in ((2, rounds), (1, others))
        )
        ratio = ratio_of_independent_medians(values, base, trial)
        inside += ratio.low <= 2 <= ratio.high
    assert 0.90 <= inside / 300 <= 1.0


@pytest.mark.slow
def test_stopping_when_the_interval_is_narrow_does_not_spoil_it():
    """Adds rounds until the interval is narrow, as `--precision` does; it still holds the truth."""
    generator = np.random.default_rng(7)
    inside = 0
    for trial in range(200):
        values, base = (list(median * np.exp(generator.normal(0, 0.1, 8))) for median in (2, 1))
        while (
            ratio := ratio_of_medians(np.array(values), np.array(base), trial)
        ).precision > 0.08 and len(values) < 40:
            values.append(2 * np.exp(generator.normal(0, 0.1)))
            base.append(np.exp(generator.normal(0, 0.1)))
        inside += ratio.low <= 2 <= ratio.high
    assert inside / 200 >= 0.88


@pytest.mark.fast
def test_too_few_rounds_of_either_run_give_no_interval():
    assert np.isnan(ratio_of_independent_medians(np.ones(5), np.ones(30)).low)
    assert ratio_of_independent_medians(np.ones(6), np.ones(6)).low == 1


@pytest.mark.fast
def test_precision_is_half_the_width_relative_to_the_ratio():
    assert Ratio(2.0, 1.8, 2.2, 10).precision == pytest.approx(0.1)


@pytest.mark.fast
@pytest.mark.parametrize("seed", range(8))
def test_the_interval_is_the_one_that_can_be_calculated(seed):
    """The median of 9 values drawn from 9 is at most the smallest with a chance of 0.14 %, and at
    most the second smallest with 3.04 %: the percentile 2.5 is the second, the percentile 5 the
    third. With too few resamples the answer depends on the seed."""
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8, 1e6])
    for ratio in (ratio_of_medians(values, np.ones(9), seed), median_interval(values, seed)):
        assert ratio == Ratio(5, 2, 8, 9)


@pytest.mark.fast
def test_the_rounds_of_two_runs_are_drawn_each_by_itself():
    base = np.arange(1.0, 13)
    assert ratio_of_medians(base, base).precision == 0
    assert ratio_of_independent_medians(base, base).precision > 0.3
    assert ratio_of_independent_medians(base, np.ones(7)).rounds == 7


@pytest.mark.fast
def test_an_outlier_does_not_move_the_ratio_of_two_runs():
    assert ratio_of_independent_medians(np.array([1, 2, 900]), np.array([1, 1, 30])).value == 2


@pytest.mark.fast
@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.96, 1.04, "equivalent"), (0.94, 1.06, "unresolved")]
)
def test_the_margin_is_five_percent(low, high, verdict):
    assert Ratio(1.0, low, high, 10).verdict() == verdict
