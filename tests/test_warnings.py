"""Each warning on both sides of its threshold."""

import numpy as np
import pytest
from timings import turns_of

from bench.measure.warnings import OTHERS, OUTLIER, SHORTEST_S, SPREAD, is_outlier, warnings_of

pytestmark = pytest.mark.fast

STEADY = [100.0, 100.1, 99.9, 100.2, 99.8, 100.0, 100.1, 99.9]


def lines(rates, precision=None, threads=None, governors=(), **options):
    import pandas as pd

    turns = turns_of(rates, **options)
    return warnings_of(
        pd.DataFrame(turns.call_rows),
        pd.DataFrame(turns.turn_rows),
        threads or {},
        precision,
        governors,
    )


def test_a_quiet_measurement_is_not_doubted():
    assert lines({"a-default": STEADY, "a-again": STEADY}) == []


@pytest.mark.parametrize(("rounds", "doubted"), [(5, True), (6, False)])
def test_too_few_rounds_for_an_interval(rounds, doubted):
    assert bool(lines({"a-default": STEADY[:rounds]})) == doubted


@pytest.mark.parametrize(("precision", "doubted"), [(0.0005, True), (0.05, False)])
def test_too_few_rounds_for_the_precision_asked_for(precision, doubted):
    found = lines({"a-default": STEADY, "a-again": STEADY[::-1]}, precision)
    assert bool(found) == doubted
    assert not doubted or "precision of 0.1%" in found[0]


@pytest.mark.parametrize(("factor", "doubted"), [(0.99, False), (1.01, True)])
def test_a_spread_of_a_tenth(factor, doubted):
    offsets = np.array([1, -1] * 4)
    offsets = offsets / np.std(offsets, ddof=1) * SPREAD * factor
    found = lines({"a-default": list(100 * (1 + offsets))})
    assert bool(found) == doubted
    assert not doubted or "a-default 10%" in found[0]


@pytest.mark.parametrize(("factor", "doubted"), [(0.99, False), (1.01, True)])
def test_outliers_and_a_slow_first_round(factor, doubted):
    # With one more value below, the median stays 100 and the median distance 0.1.
    typical = [99.8, 99.9, 100.0, 100.1, 100.2] * 3
    values = [100 - 0.1 * OUTLIER * factor, *typical]
    assert is_outlier(np.array(values)).tolist() == [doubted] + [False] * 15
    found = lines({"a-default": values})
    assert bool(found) == doubted
    assert not doubted or "first round far slower than the rest: a-default" in found[0]
    found = lines({"a-default": values[::-1]})
    assert bool(found) == doubted
    assert not doubted or "rounds far off the others: a-default 1" in found[0]


def test_a_fast_first_round_is_no_slow_one():
    assert not any("slower" in line for line in lines({"a-default": [120.0, *[99.9, 100.1] * 5]}))


@pytest.mark.parametrize(("factor", "doubted"), [(0.99, True), (1.01, False)])
def test_calls_shorter_than_a_millisecond(factor, doubted):
    found = lines({"a-default": STEADY}, call_s=SHORTEST_S * factor)
    assert bool(found) == doubted
    assert not doubted or "less than 1 ms" in found[0]


@pytest.mark.parametrize(("factor", "doubted"), [(0.99, False), (1.01, True)])
def test_other_processes(factor, doubted):
    found = lines({"a-default": STEADY}, others_cpu_s=OTHERS * factor)
    assert bool(found) == doubted
    assert not doubted or "other processes took 10%" in found[0]


@pytest.mark.parametrize(("other", "doubted"), [((2, 2), False), ((1, 2), True)])
def test_threads_that_differ(other, doubted):
    found = lines({"a-default": STEADY}, threads={"a-default": (2, 2), "a-tuned": other})
    assert bool(found) == doubted
    assert not doubted or "a-tuned 1 and 2" in found[0]


@pytest.mark.parametrize(
    ("governors", "doubted"),
    [
        ([], False),
        (["performance"], False),
        (["powersave"], True),
        (["performance", "powersave"], True),
    ],
)
def test_a_governor_that_changes_the_clock_rate(governors, doubted):
    found = lines({"a-default": STEADY}, governors=governors)
    assert bool(found) == doubted
    assert not doubted or "governor" in found[0]
