"""Frames, tables and findings, made from raw files that are written by hand."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import slow_after
from timings import write_timings

from bench.durable import write_text
from bench.measure.saturation import NO_GRADIENT, right
from bench.parity import STAGE_NAMES
from bench.parity.result import Difference, Parity, Stage
from bench.patched import patched
from bench.report.answers import answers
from bench.report.cost import tax_table, throughput_table
from bench.report.cost_words import cost_answer, cost_findings
from bench.report.findings import find, judge_all
from bench.report.frames import curves_frame, in_order, results_frame
from bench.report.rounds import throughput_frame
from bench.report.tables import agreement_table, training_table, tuned_table
from bench.report.write import write_report
from bench.results.cells import CellRecord, write_cell
from bench.results.comparisons import StoredComparison, read_comparisons, write_comparison
from bench.results.imports import write_imports
from bench.results.layout import FOLDERS, FORMAT
from bench.results.outputs import class_outputs, outputs_table, write_outputs
from bench.results.rounds import read_rounds
from bench.results.run import Run
from bench.results.steps import write_steps
from bench.text_tables import power, spread

SETTINGS = {name: {"digest": "d", "epochs": 2} for name in ("small", "large")}
ENVIRONMENT = {
    "format": FORMAT,
    "packages": {"tensorflow": "2.15"},
    "python": "3.11",
    "cpu": "c",
    "cores": 2,
    "cores_available": 2,
    "memory_gib": 8,
    "gpus": [],
    "quick": False,
    "settings": SETTINGS,
}
LABELS = np.array([0, 1] * 10)


def one_hot(classes):
    return np.eye(2, dtype=np.float32)[classes]


FROZEN = one_hot(np.ones(20, int))
FROZEN_LOSS = right(2).value + 0.5
FROZEN_LOSS = right(2).value + 0.5
SOUND = one_hot(LABELS) * 8 - 4


def write_measured(
    folder,
    implementation="lowlevel",
    dataset="large",
    kind="activated",
    seed=0,
    outputs=FROZEN,
    labels=LABELS,
    final_loss=FROZEN_LOSS,
    gradient=0.0,
    step_s=0.01,
    profile="default",
    **values,
):
    """Writes a finished cell: two epochs of four steps of 32 samples.

    Its first step is a warm-up of one second.
    """
    name = f"{implementation}-{profile}-{dataset}-{kind}-{seed}"
    correct = outputs.argmax(axis=1) == labels
    evaluation = {
        "accuracy": float(correct.mean()),
        "loss": final_loss,
        "gradient_norm": gradient,
        "global_step": 8,
        "true_positives": int((correct & (labels > 0)).sum()),
        "true_negatives": int((correct & (labels == 0)).sum()),
        "false_positives": int((~correct & (labels == 0)).sum()),
        "false_negatives": int((~correct & (labels > 0)).sum()),
    }
    record = CellRecord(
        name,
        implementation,
        profile,
        dataset,
        kind,
        seed,
        status="ok",
        log="a.log",
        data=values.get("data", "d"),
        epochs=2,
        length=130,
        batch_size=32,
        parameters=values.get("parameters", 100),
        code_lines=50,
        statements=40,
        api_names=9,
        forked_s=10.0,
        trained_s=10.25,
        began_s=11.0,
        ended_s=30.0,
        peak_rss_mib=500.0,
        checkpoints=[0.5, 0.1, 0.3],
        checkpoint_bytes=2048,
        evaluations=[
            {**evaluation, "epoch": epoch, "began_s": 12.0, "ended_s": 12.0 + epoch}
            for epoch in (1, 2)
        ],
    )
    steps, now = [], 11.0
    for step in range(8):
        duration = 1.0 if step == 0 else step_s
        loss_of_step = 0.5 + step + values.get("second_loss", 0.0) * (step == 1)
        steps.append(
            {
                "global_step": step + 1,
                "epoch": 1 + step // 4,
                "loss": loss_of_step,
                "steps": 1,
                "samples": 32,
                "began_s": now,
                "ended_s": now + duration,
                "kind": "warm-up" if step == 0 else "steady",
            }
        )
        now += duration
    write_steps(folder, name, steps)
    write_outputs(
        folder,
        name,
        [
            *(outputs_table("probe", epoch, labels, outputs) for epoch in (1, 2)),
            outputs_table("evaluation", 2, labels, outputs),
        ],
    )
    write_cell(folder, record)


def loaded(folder):
    """A folder as it is read, none of whose files may be left out."""
    write_text(folder / "environment.json", json.dumps(ENVIRONMENT))
    run = Run.load(folder)
    assert run.problems == []
    return run


def frames(folder):
    """Results, curves and throughput of a folder."""
    run = loaded(folder)
    throughput, cells = throughput_frame(run.rounds), run.cells.values()
    return results_frame(cells, throughput), curves_frame(cells), throughput


def results_of(folder):
    return frames(folder)[0]


def agreement_of(folder):
    results, curves, _ = frames(folder)
    return agreement_table(loaded(folder).cells, results, curves)


def texts(folder):
    found = find(verdicts_of(folder), results_of(folder), agreement_of(folder), [])
    return [finding.text for finding in found]


def answers_of(folder):
    results, _, throughput = frames(folder)
    return answers(verdicts_of(folder), results, throughput, agreement_of(folder), [])


def verdicts_of(folder):
    """How the finished cells of a folder ended."""
    results = results_of(folder)
    return judge_all(loaded(folder).cells, results[results["status"] == "ok"])


def judged(folder):
    """How the only cell of a folder ended."""
    (verdict,) = verdicts_of(folder)
    return verdict


def test_a_row_is_derived_from_the_raw_files(tmp_path):
    write_measured(tmp_path, outputs=FROZEN)
    write_timings(
        tmp_path,
        {
            "lowlevel-default": [100.0] * 6,
            "lowlevel-again": [100.0] * 6,
            "floor-floor": [400.0] * 6,
        },
        "large",
        clocks=True,
    )
    row = results_of(tmp_path).iloc[0]
    assert row["samples_per_second"] == pytest.approx(3200)
    assert row["step_ms"] == pytest.approx(10)
    assert row["startup_s"] == pytest.approx(2.0)
    assert row["train_s"] == pytest.approx(3.0)
    assert row["wall_s"] == pytest.approx(20)
    assert row["steps"] == 8
    assert row["graph_s"] == pytest.approx(0.75)
    assert row["first_step_s"] == pytest.approx(1)
    assert (row["evaluation_s"], row["checkpoint_s"], row["checkpoint_kib"]) == (
        pytest.approx(1.5),
        pytest.approx(0.3),
        2,
    )
    assert row["device_ms_per_step"] == pytest.approx(150)
    assert math.isnan(row["gpu_ms_per_step"])
    assert row["of_floor"] == pytest.approx(0.25)
    assert row["profile"] == "default"
    assert (row["true_positives"], row["false_positives"], row["accuracy"], row["saturation"]) == (
        10,
        10,
        0.5,
        1.0,
    )


def test_cells_of_a_thousand_classes_come_back(tmp_path):
    outputs = np.eye(1000)[:20] * 9
    write_measured(tmp_path, outputs=outputs, labels=np.arange(20))
    (cell,) = loaded(tmp_path).cells.values()
    assert (class_outputs(cell.outputs[:20]) == outputs).all()


def test_curves_have_a_row_an_evaluation_with_the_mean_training_loss(tmp_path):
    write_measured(tmp_path)
    curves = frames(tmp_path)[1]
    assert curves["epoch"].tolist() == [1, 2]
    assert curves["train_loss"].tolist() == pytest.approx([2.0, 6.0])


def test_rows_come_from_low_level_to_high_and_strangers_last():
    frame = pd.DataFrame(
        {
            "implementation": ["my.port", "keras", "lowlevel"],
            "dataset": ["small"] * 3,
            "outputs": ["logits"] * 3,
            "seed": [0] * 3,
        }
    )
    assert in_order(frame)["implementation"].tolist() == ["lowlevel", "keras", "my.port"]


def test_a_frozen_cell_is_named_and_its_loss_taken_apart(tmp_path):
    for name in ("lowlevel", "estimator", "keras"):
        write_measured(tmp_path, name)
    text = next(text for text in texts(tmp_path) if text.startswith("activated, large"))
    assert "all 3 cells stuck" in text
    assert "0.8133 = ln(1+1/e) + 0.50 error" in text
    assert "exactly 0" in text


def test_rows_alike_and_mixed_rows_are_taken_apart_too(tmp_path):
    write_measured(tmp_path, seed=0, outputs=np.ones((20, 2), np.float32), final_loss=math.log(2))
    mixed = FROZEN.copy()
    mixed[:4] = 1
    write_measured(tmp_path, seed=1, outputs=mixed, final_loss=0.789, gradient=0.0)
    text = " ".join(texts(tmp_path))
    assert "0.6931 = ln 2, all outputs alike" in text
    assert "(8 right x 0.3133 + 8 wrong x 1.3133 + 4 alike x 0.6931) / 20 rows" in text


def test_three_classes_have_constants_of_their_own(tmp_path):
    labels, outputs = np.arange(20) % 3, np.zeros((20, 3), np.float32)
    outputs[:, 1] = 1
    write_measured(
        tmp_path, seed=0, outputs=outputs, labels=labels, final_loss=right(3).value + 13 / 20
    )
    text = " ".join(texts(tmp_path))
    assert "1 cell stuck, accuracy 0.35" in text
    assert "1.2014 = ln(1+2/e) + 0.65 error" in text
    outputs[:5, 2] = 1
    write_measured(tmp_path, seed=0, outputs=outputs, labels=labels, final_loss=1.2)
    assert "+ 5 with several outputs at 1) / 20 rows" in " ".join(texts(tmp_path))
    assert results_of(tmp_path).iloc[0]["saturation"] == 1


@pytest.mark.parametrize(("accuracy", "state"), [(0.5, "near chance"), (0.55, "trained")])
def test_chance_is_always_saying_the_most_frequent_of_the_classes(tmp_path, accuracy, state):
    labels = (
        np.arange(20) % 3
    )  # The most frequent has 7 of 20: an accuracy below 0.545 shows no learning.
    said = np.where(np.arange(20) < accuracy * 20, labels, (labels + 1) % 3)
    write_measured(
        tmp_path, kind="logits", outputs=np.eye(3, dtype=np.float32)[said] * 8, labels=labels
    )
    assert judged(tmp_path).state == state


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "frozen"),
        ({"gradient": 0.99 * NO_GRADIENT}, "frozen"),
        ({"gradient": NO_GRADIENT}, "near chance"),
        ({"outputs": np.where(FROZEN == 1, 0.999, 0.001).astype(np.float32)}, "near chance"),
        ({"outputs": one_hot(LABELS)}, "trained"),
        ({"kind": "logits", "outputs": SOUND * 0}, "near chance"),
        ({"kind": "logits", "outputs": SOUND}, "trained"),
    ],
)
def test_frozen_near_chance_and_trained_are_told_apart(tmp_path, change, state):
    write_measured(tmp_path, **change)
    assert judged(tmp_path).state == state


def test_a_hidden_bug_is_told_by_its_floor(tmp_path):
    write_measured(
        tmp_path, dataset="small", outputs=one_hot(LABELS), final_loss=0.3140, gradient=1e-4
    )
    text = next(text for text in texts(tmp_path) if text.startswith("activated, small"))
    assert "the bug hides" in text
    assert "lowest is 0.3140" in text


def test_a_failed_cell_is_a_row_and_a_finding(tmp_path):
    write_measured(tmp_path)
    write_cell(
        tmp_path,
        CellRecord(
            "my-default-small-logits-0",
            "my",
            "default",
            "small",
            "logits",
            0,
            reason="ValueError: no",
        ),
    )
    results = results_of(tmp_path)
    assert sorted(results["status"]) == ["failed", "ok"]
    assert any(
        "my, small, logits, seed 0: failed (ValueError: no)" in text for text in texts(tmp_path)
    )
    assert training_table(results)["cells ok"].tolist() == ["0/1", "1/1"]


RATES = {
    "lowlevel-default": [100.0, 50.0, 100.0, 100.0, 100.0, 200.0],
    "lowlevel-tuned": [300.0, 150.0, 300.0, 300.0, 300.0, 600.0],
    "keras-default": [50.0, 25.0, 50.0, 50.0, 50.0, 100.0],
    "keras-tuned": [200.0, 100.0, 200.0, 200.0, 200.0, 400.0],
    "lowlevel-again": [100.0, 50.0, 100.0, 100.0, 100.0, 200.0],
    "floor-floor": [400.0, 200.0, 400.0, 400.0, 400.0, 800.0],
}


def test_throughput_has_its_ratios_intervals_and_verdicts(tmp_path):
    write_timings(tmp_path, RATES)
    table = throughput_table(frames(tmp_path)[2]).set_index(["implementation", "profile"])
    assert table["relative to lowlevel"].to_dict() == {
        ("lowlevel", "default"): "-",
        ("lowlevel", "tuned"): "3.00 [3.00, 3.00] faster",
        ("lowlevel", "(again, A/A)"): "1.00 [1.00, 1.00] equivalent",
        ("keras", "default"): "0.50 [0.50, 0.50] slower",
        ("keras", "tuned"): "2.00 [2.00, 2.00] faster",
        ("floor", "(the floor)"): "4.00 [4.00, 4.00] faster",
    }
    assert table.loc[("keras", "tuned"), "of the floor"] == "0.50 [0.50, 0.50]"
    assert table.loc[("keras", "tuned"), "tuned over default"] == "4.00 [4.00, 4.00]"
    assert table.loc[("keras", "default"), "samples/s"] == "50 [38, 75]"


def test_too_few_rounds_have_no_interval(tmp_path):
    write_timings(tmp_path, {name: values[:5] for name, values in RATES.items()})
    table = throughput_table(frames(tmp_path)[2]).set_index(["implementation", "profile"])
    assert (
        table.loc[("keras", "default"), "relative to lowlevel"]
        == "0.50 (rounds: 5, too few for an interval)"
    )


def test_the_answer_about_cost_says_what_settings_win_back(tmp_path):
    write_timings(tmp_path, RATES)
    cost = cost_answer(frames(tmp_path)[2])
    assert cost.headline == ("On small, keras has 50% of lowlevel's speed; tuned, 4.0 times that.")
    assert "small: keras 0.50 [0.50, 0.50] slower" in cost.detail
    assert "small keras 0.50 [0.50, 0.50]." in cost.detail


def test_the_noise_floor_and_the_cost_of_recording_are_said(tmp_path):
    write_timings(tmp_path, RATES, recorded_cost=0.01)
    rounds = read_rounds(tmp_path, [])
    found = cost_findings(throughput_frame(rounds), rounds)
    said = " ".join(finding.text for finding in found)
    assert "two runs of the same program differ by a ratio of 1.000 [1.000, 1.000]" in said
    assert "while every call is recorded, relative to none being: 0.990 [0.990, 0.990]" in said


def test_the_parts_of_a_step_are_shown_with_their_residual_and_a_gpu_has_its_columns(tmp_path):
    write_timings(tmp_path, RATES, clocks=True)
    row = (
        tax_table(frames(tmp_path)[2])
        .set_index(["implementation", "profile"])
        .loc[("keras", "default")]
    )
    assert row["kernels"] == "300.000 [150.000, 600.000]"
    assert row["residual"] == "+0.000 (+0.0%)"
    assert "GPU" not in row
    write_timings(tmp_path, RATES, clocks=True, gpu=True)
    row = (
        tax_table(frames(tmp_path)[2])
        .set_index(["implementation", "profile"])
        .loc[("keras", "default")]
    )
    assert (row["GPU"], row["GPU copies"], row["GPU busy"]) == (
        "250.000 [250.000, 250.000]",
        "10.000",
        "50%",
    )


def test_a_tuned_run_is_held_against_its_own_default(tmp_path):
    write_measured(tmp_path, "keras")
    write_measured(tmp_path, "keras", profile="tuned", final_loss=right(2).value + 0.5 + 1e-5)
    write_measured(tmp_path, "keras", seed=1)
    table = tuned_table(frames(tmp_path)[1])
    assert len(table) == 1
    assert table["seeds"].iloc[0] == 1
    assert table["evaluations"].iloc[0] == pytest.approx(1e-5)


def test_a_run_without_rounds_has_a_report_too(tmp_path):
    write_measured(tmp_path)
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    text = report_of(tmp_path)
    assert "Does it train?" in text
    assert "## What does each API cost?" not in text
    assert "**What does each API cost?** Not measured in this run." in text
    assert "Not measured in this run." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_training_without_a_finite_loss_is_on_the_page_too(tmp_path, loss):
    for name in ("lowlevel", "keras"):
        write_measured(tmp_path, name, second_loss=loss)
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    assert "all 2 cells stuck" in report_of(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Loss of large over training steps, seed 0." in page


def report_of(folder):
    write_report(folder)
    return (folder / "results.md").read_text()


def damaged_run(folder):
    """Returns a run of two cells, and of rounds on both datasets, before it is damaged."""
    for dataset in ("small", "large"):
        write_measured(folder, "lowlevel", dataset)
        write_timings(folder, RATES, dataset, clocks=True)
    write_imports(
        folder,
        [
            {"implementation": "lowlevel", "round": number, "import_s": 6.0 + number}
            for number in (1, 2)
        ],
    )
    write_text(folder / "environment.json", json.dumps(ENVIRONMENT))
    text = report_of(folder)
    assert "Left out" not in text
    assert "7.5 [7.0, 8.0]" in text


def test_a_report_reads_every_raw_file_once(tmp_path):
    damaged_run(tmp_path)
    write_comparison(tmp_path, StoredComparison("keras", "lowlevel", "small", parity("bit")))
    raw_files = {
        *tmp_path.glob("*.json"),
        *(path for name in FOLDERS for path in tmp_path.glob(f"{name}/*.[cj]s*")),
    }
    assert {path.parent.name for path in raw_files} == {
        tmp_path.name, "parity", "rounds", "cells", "steps", "outputs"
    }  # fmt: skip
    opened, original = Counter(), Path.open

    def counting(path, *arguments, **options):
        opened[path] += 1
        return original(path, *arguments, **options)

    with patched(Path, {"open": counting}):
        write_report(tmp_path)
    assert {path: opened[path] for path in raw_files} == dict.fromkeys(raw_files, 1)


@pytest.mark.parametrize(
    ("name", "left_out"),
    slow_after(
        2,
        [
            (
                "steps/lowlevel-default-small-activated-0.csv",
                "the cell lowlevel-default-small-activated-0: steps/",
            ),
            (
                "outputs/lowlevel-default-small-activated-0.csv",
                "the cell lowlevel-default-small-activated-0: outputs/",
            ),
            (
                "cells/lowlevel-default-small-activated-0.json",
                "the cell lowlevel-default-small-activated-0: cells/",
            ),
            ("imports.json", "the timed imports"),
            (
                "rounds/small-calls.csv",
                "the throughput of small: rounds/small-calls.csv is cut short",
            ),
            (
                "rounds/small-kernels.csv",
                "the throughput of small: rounds/small-kernels.csv is cut short",
            ),
            (
                "rounds/small-variants.json",
                "the throughput of small: rounds/small-variants.json is damaged",
            ),
        ],
    ),
)
@pytest.mark.parametrize("keep", slow_after(1, [0.5, 0.9999]))
def test_a_raw_file_cut_short_is_named_and_the_rest_of_the_report_is_made(
    tmp_path, name, left_out, keep
):
    damaged_run(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: min(len(content) - 2, int(keep * len(content)))])
    text = report_of(tmp_path)
    assert f"Left out {left_out}" in text
    assert "| large" in text
    assert (tmp_path / "report.html").exists()
    assert len(pd.read_csv(tmp_path / "results.csv")) == (1 if "the cell" in left_out else 2)


@pytest.mark.parametrize(
    "name",
    slow_after(1, ["rounds/small-variants.json", "cells/lowlevel-default-small-activated-0.json"]),
)
def test_a_raw_file_of_another_version_is_named(tmp_path, name):
    damaged_run(tmp_path)
    content = json.loads((tmp_path / name).read_text())
    write_text(tmp_path / name, json.dumps({**content, "format": FORMAT - 1}))
    assert f"{name} is of format {FORMAT - 1}, this version reads {FORMAT}" in report_of(tmp_path)


@pytest.mark.slow
def test_a_raw_file_of_another_run_is_named(tmp_path):
    damaged_run(tmp_path)
    other = tmp_path / "other"
    write_measured(other, "lowlevel", "small", step_s=0.02)
    write_timings(other, {name: values[::-1] for name, values in RATES.items()})
    for name in ("steps/lowlevel-default-small-activated-0.csv", "rounds/small-calls.csv"):
        (tmp_path / name).write_bytes((other / name).read_bytes())
    text = report_of(tmp_path)
    assert (
        "steps/lowlevel-default-small-activated-0.csv is cut short, changed, or of another run"
        in text
    )
    assert "rounds/small-calls.csv is cut short, changed, or of another run" in text
    write_measured(tmp_path, "lowlevel", "small", data="another")
    assert "cells/lowlevel-default-small-activated-0.json was measured in another run" in report_of(
        tmp_path
    )


def test_a_record_cannot_name_files_outside_its_folder(tmp_path):
    damaged_run(tmp_path)
    path = tmp_path / "cells" / "lowlevel-default-small-activated-0.json"
    write_text(
        path, json.dumps({**json.loads(path.read_text()), "sha256": {"../../../etc/passwd": "0"}})
    )
    assert (
        "Left out the cell lowlevel-default-small-activated-0: etc/passwd is missing"
        in report_of(tmp_path)
    )


def test_differences_between_equal_seeds_are_shown(tmp_path):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras", final_loss=right(2).value + 0.5 + 1e-5)
    row = agreement_of(tmp_path).iloc[0]
    assert row["first step"] == 0
    assert row["evaluations"] == pytest.approx(1e-5)
    assert row["accuracy"] == 0


def test_the_three_answers_say_what_was_not_measured(tmp_path):
    write_measured(tmp_path, kind="logits", outputs=SOUND)
    found = answers_of(tmp_path)
    assert [answer.headline for answer in found] == [
        "No cell is frozen.",
        "Not measured in this run.",
        "Not measured in this run.",
    ]


@pytest.mark.parametrize(("second_loss", "headline"), [(1.5 * 0.0009, "Yes"), (1.5 * 0.0011, "No")])
def test_another_update_is_not_the_same_network(tmp_path, second_loss, headline):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras", second_loss=second_loss)
    assert answers_of(tmp_path)[1].headline.startswith(headline)


def test_another_parameter_count_is_not_the_same_network(tmp_path):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras", parameters=101)
    assert answers_of(tmp_path)[1].headline.startswith("No")


def test_warnings_about_the_rounds_are_on_the_page_and_in_the_tables(tmp_path):
    write_timings(tmp_path, {name: values[:5] for name, values in RATES.items()})
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    (warning, *_) = write_report(tmp_path).warnings
    assert "5 rounds are too few for intervals" in warning
    for name in ("results.md", "report.html"):
        assert warning in (tmp_path / name).read_text()


def test_text_from_data_is_escaped_in_the_page(tmp_path):
    write_measured(tmp_path)
    write_cell(
        tmp_path,
        CellRecord(
            "x",
            "<script>alert(1)</script>",
            "default",
            "small",
            "logits",
            0,
            reason="<img src=x onerror=alert(2)>",
        ),
    )
    write_timings(
        tmp_path,
        {"<i>evil</i>-default": [100.0] * 6, "<i>evil</i>-again": [100.0] * 6},
        clocks=True,
    )
    write_text(
        tmp_path / "environment.json",
        json.dumps({**ENVIRONMENT, "packages": {"tensorflow": "<b>2.15</b>"}}),
    )
    write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    for text in ("<script>alert(1)", "<img src=x", "<b>2.15", "<i>evil"):
        assert text not in page


def test_spread_and_power():
    assert spread(pd.Series([3.0, 1.0, np.nan, 2.0]), 1) == "2.0 [1.0, 3.0]"
    assert spread(pd.Series([np.nan]), 1) == "-"
    assert spread(pd.Series([0.0, 2e-5]), power) == "1.0e-05 [0, 2.0e-05]"


def parity(verdict, difference=None):
    stages = [Stage(name, "bit", "all") for name in STAGE_NAMES[:-1]]
    return Parity(
        "impl_lowlevel",
        "impl_keras",
        "a batch",
        [*stages, Stage("metrics", verdict, "all", difference)],
        5.0,
        300.0,
    )


def run_with(folder, *comparisons):
    """Returns the tables as text and the page of a run of two implementations on both datasets."""
    for implementation in ("lowlevel", "keras"):
        for dataset in ("small", "large"):
            write_measured(folder, implementation, dataset)
    for dataset in ("small", "large"):
        write_timings(folder, RATES, dataset, clocks=True)
    for compared in comparisons:
        write_comparison(folder, compared)
    write_text(folder / "environment.json", json.dumps(ENVIRONMENT))
    write_report(folder)
    return (folder / "results.md").read_text(), (folder / "report.html").read_text()


def test_what_failed_parity_is_stamped_in_every_table_and_plot_of_its_dataset(tmp_path):
    different = parity("different", Difference("accuracy", "[0.5]", "[0.25]", 100.0, 7.0))
    text, page = run_with(
        tmp_path,
        StoredComparison("keras", "lowlevel", "small", different),
        StoredComparison("keras", "lowlevel", "large", parity("bit")),
    )
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("|")
        and "keras" in line
        and "keras - " not in line
        and "tuned - " not in line
    ]
    stamped = [line for line in rows if "not the same network" in line]
    assert len(stamped) == 6
    assert all("| small" in line for line in stamped)
    assert (
        "First difference, in metrics: accuracy: [0.5] against [0.25], 100 ULP, 7 x the tolerance"
        in text
    )
    line_break = r"\u003cbr\u003e"  # as plotly writes it
    assert f'"keras{line_break}(not the same network)"' in page  # throughput
    assert '"keras (not the same network) default"' in page  # parts of a step
    assert '"keras (not the same network), activated"' in page  # curves
    assert "No: keras on small differs, first in metrics." in page
    results = pd.read_csv(tmp_path / "results.csv").set_index(["implementation", "dataset"])[
        "parity"
    ]
    assert results["keras", "small"] == "different"
    assert results["keras", "large"] == "same"
    assert results["lowlevel"].isna().all()


def test_what_passed_parity_is_not_stamped(tmp_path):
    text, page = run_with(
        tmp_path,
        *(
            StoredComparison("keras", "lowlevel", dataset, parity("rounding"))
            for dataset in ("small", "large")
        ),
    )
    assert "not the same network" not in text + page
    assert "Yes, stage by stage: 16 same to the bit, 2 within rounding." in page
    assert "2 comparisons of 9 stages: 16 same to the bit, 2 within rounding" in page


def test_what_could_not_be_compared_is_said(tmp_path):
    text, page = run_with(
        tmp_path,
        StoredComparison(
            "keras", "lowlevel", "small", None, "candidate keras: its training was not seen"
        ),
    )
    assert "could not be compared: candidate keras: its training was not seen" in text
    assert "(not the same" not in text
    assert "Not all could be compared." in page


def test_a_comparison_comes_back_as_it_was_stored(tmp_path):
    stored = StoredComparison(
        "my.port",
        "lowlevel",
        "large",
        parity("different", Difference("x", "1", "2", float("inf"), 3.0)),
    )
    write_comparison(tmp_path, stored)
    (back,) = read_comparisons(tmp_path, [])
    assert back.differs
    assert back.parity.first_different.difference.ulps is None
    assert (back.implementation, back.reference, back.dataset) == ("my.port", "lowlevel", "large")
    assert back.parity.stages[0] == stored.parity.stages[0]
