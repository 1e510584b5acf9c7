"""Throughput, its ratios and the parts of a step, from timings with known answers."""

import numpy as np
import pytest
from timings import calls_of, turns_of

from bench.measure.step_breakdown import PARTS, step_breakdown, top_kernels
from bench.measure.throughput import Throughput

pytestmark = pytest.mark.fast

RATES = {
    "lowlevel-default": [100.0, 50.0, 100.0, 100.0, 200.0, 100.0],
    "lowlevel-tuned": [300.0, 150.0, 300.0, 300.0, 600.0, 300.0],
    "keras-default": [50.0, 25.0, 50.0, 50.0, 100.0, 50.0],
    "lowlevel-again": [100.0, 50.0, 100.0, 100.0, 200.0, 100.0],
    "floor-floor": [400.0, 200.0, 400.0, 400.0, 800.0, 400.0],
}


def test_a_variants_throughput_is_that_of_its_rounds():
    throughput = Throughput(calls_of(RATES))
    assert throughput.of("keras-default").tolist() == pytest.approx(RATES["keras-default"])
    assert throughput.median("keras-default").value == pytest.approx(50)


def test_ratios_are_paired_by_round_so_that_a_disturbed_round_cancels():
    throughput = Throughput(calls_of(RATES))
    ratio = throughput.ratio("keras-default", "lowlevel-default")
    assert (ratio.value, ratio.low, ratio.high, ratio.rounds) == (*[pytest.approx(0.5)] * 3, 6)


def test_each_is_compared_with_the_first_the_floor_and_its_own_default():
    throughput = Throughput(calls_of(RATES))
    assert throughput.reference == "lowlevel-default"
    assert throughput.bases("lowlevel-tuned") == {
        "relative": "lowlevel-default",
        "of_floor": "floor-floor",
        "over_default": "lowlevel-default",
    }
    assert throughput.bases("floor-floor") == {"relative": "lowlevel-default"}
    assert len(throughput.ratios()) == 1 + 3 + 2 + 2 + 1


def test_rounds_that_one_variant_missed_are_left_out_of_its_ratios():
    rates = {**RATES, "keras-default": RATES["keras-default"][:4]}
    assert Throughput(calls_of(rates)).ratio("keras-default", "lowlevel-default").rounds == 4
    assert Throughput(calls_of(RATES)).ratio("keras-default", "nobody") is None


def test_blocks_clocks_and_traces_do_not_time_anything():
    with_all = Throughput(calls_of(RATES, clocks=True))
    assert with_all.of("keras-default").tolist() == pytest.approx(RATES["keras-default"])


def test_the_parts_of_a_step_come_from_clocks_and_shares_of_the_trace_and_add_up():
    row = step_breakdown(calls_of(RATES, clocks=True)).loc["keras-default"]
    expected = {"kernels": 300, "input": 50, "runtime": 50, "api": 75, "python": 25}
    assert {part: row[part] for part in PARTS} == pytest.approx(expected)
    assert row["wall"] == pytest.approx(500)
    assert row["residual"] == pytest.approx(0)
    assert row["tracing"] == pytest.approx(0)
    assert "gpu" not in row


def test_what_clocks_add_to_a_step_shows_as_residual():
    calls = calls_of(RATES, clocks=True)
    clocked = (calls["mode"] == "clocks") & calls["runtime_s"].notna()
    calls.loc[clocked, "ended_s"] += 0.05
    row = step_breakdown(calls).loc["keras-default"]
    assert row["residual"] == pytest.approx(-50)
    assert row["python"] == pytest.approx(75)


def test_a_gpu_has_its_kernels_copies_and_busy_share():
    row = step_breakdown(calls_of(RATES, clocks=True, gpu=True)).loc["keras-default"]
    assert (row["gpu"], row["gpu_copy"], row["gpu_busy"]) == (
        pytest.approx(250),
        pytest.approx(10),
        pytest.approx(0.5),
    )


def test_the_longest_kernels_come_first_with_their_share():
    import pandas as pd

    kernels = pd.DataFrame(turns_of(RATES, clocks=True).kernel_rows)
    top = top_kernels(kernels, "keras-default", count=1)
    assert top.to_dict("records") == [
        {
            "kernel": "Conv2D",
            "device": "CPU",
            "total_ms": pytest.approx(45),
            "count": 2,
            "share": pytest.approx(0.9),
        }
    ]
    assert np.isclose(top_kernels(kernels, "keras-default")["share"].sum(), 1)
