"""What the terminal shows at the end of a run: one table, three answers, and where the rest is."""

import json

import pandas as pd
import pytest
from conftest import slow_after
from test_report import ENVIRONMENT, RATES, SOUND, parity, write_measured
from timings import write_timings

from bench.durable import write_text
from bench.report.summary import summary_table
from bench.report.terminal import closing_lines
from bench.report.write import write_report
from bench.results.cells import CellRecord, write_cell
from bench.results.comparisons import StoredComparison, write_comparison

NAMES = ("lowlevel", "estimator", "keras")


def written(folder, names=NAMES, gpu=False, quick=False):
    """Writes a run on both datasets; returns its report, and the lines that it ends with."""
    rates = {
        **{f"{name}-default": RATES["keras-tuned"] for name in names},
        **{f"{name}-tuned": [100 * rate for rate in RATES["keras-tuned"]] for name in names},
        "lowlevel-again": RATES["keras-tuned"],
        "floor-floor": [200 * rate for rate in RATES["keras-tuned"]],
    }
    for dataset in ("small", "large"):
        for name in names:
            for seed in (0, 1):
                write_measured(
                    folder, name, dataset, "logits", seed, outputs=SOUND, final_loss=0.01 + seed
                )
                write_measured(folder, name, dataset, seed=seed)
        write_timings(folder, rates, dataset, clocks=True, gpu=gpu)
        write_comparison(folder, StoredComparison("keras", "lowlevel", dataset, parity("bit")))
    write_text(folder / "environment.json", json.dumps({**ENVIRONMENT, "quick": quick}))
    report = write_report(folder)
    return report, closing_lines(report, folder)


@pytest.mark.parametrize("gpu", slow_after(1, [False, True]))
def test_it_has_100_columns_and_30_lines_at_most(tmp_path, gpu):
    report, lines = written(tmp_path, gpu=gpu, quick=True)
    shown = "\n".join(lines).replace(str(tmp_path), "results").split("\n")
    assert len(shown) <= 30
    assert max(map(len, shown)) <= 100
    assert ("GPU ms\na step" in report.summary) == gpu


def test_a_row_has_each_value_above_its_range(tmp_path):
    report, _ = written(tmp_path, gpu=True)
    row = report.summary.set_index("").loc["keras"].iloc[0]
    assert row.to_dict() == {
        "logits\naccuracy": "1.00\n1.00-1.00",
        "logits\nloss": "0.5100\n0.01-1.01",
        "activated\naccuracy": "0.50\n0.50-0.50",
        "activated\nloss": "0.8133\n0.81-0.81",
        "samples/s\ndefault": "200\n150-300",
        "samples/s\ntuned": "20.0k\n15.0-30.0k",
        "tuned, of\nthe floor": "0.50\n0.50-0.50",
        "GPU ms\na step": "250\n250-250",
    }
    assert report.summary[""].tolist() == ["small:", *NAMES, "large:", *NAMES]


def test_under_the_table_are_three_answers_and_where_the_rest_is(tmp_path):
    _, lines = written(tmp_path)
    assert lines[-6:] == [
        "Why does it not train?   "
        "Activated outputs go into a loss that takes logits: 12 trainings freeze.",
        "Is it the same network?  Yes, stage by stage: 18 same to the bit, 0 within rounding.",
        "What does each API cost? "
        "On small, estimator has 100% of lowlevel's speed; tuned, 100 times that.",
        "",
        f"{tmp_path / 'report.html'} has the pictures.",
        f"{tmp_path / 'results.md'} has all tables, findings and 2 warnings.",
    ]


def test_long_names_are_broken_and_long_answers_cut(tmp_path):
    long = "a.module.of.somebody.with_a_very_long_name"
    _, lines = written(tmp_path, (*NAMES, long))
    shown = "\n".join(lines).replace(str(tmp_path), "results").split("\n")
    assert max(map(len, shown)) <= 100
    assert "a.module.of." in [line.split(" ")[0] for line in lines]


def test_what_failed_stands_above_the_table(tmp_path):
    record = CellRecord("my-default-small-logits-0", "my", "default", "small", "logits", 0)
    record.reason = "ValueError: no"
    write_cell(tmp_path, record)
    _, lines = written(tmp_path)
    assert lines[:3] == ["", "- my, small, logits, seed 0: failed (ValueError: no).", ""]


def test_what_was_not_measured_is_a_dash(tmp_path):
    write_measured(tmp_path, "keras", "small", "logits", outputs=SOUND)
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    report = write_report(tmp_path)
    row = report.summary.iloc[1]
    assert row["activated\nloss"] == "-"
    assert row["samples/s\ntuned"] == "-"
    last = closing_lines(report, tmp_path)[-1]
    assert last == f"{tmp_path / 'results.md'} has all tables and findings."


def test_a_run_of_nothing_has_no_table():
    results = pd.DataFrame(columns=["dataset", "implementation", "status"])
    throughput = pd.DataFrame(columns=["dataset", "implementation", "profile"])
    assert summary_table(results, throughput).empty
