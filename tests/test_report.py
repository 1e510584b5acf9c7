"""Frames, tables and findings, from raw files written by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from bench.measure import raw
from bench.measure.saturation import RIGHT
from bench.parity.result import STAGES, Difference, Parity, Stage
from bench.parity.stored import Compared, read_comparisons, write_comparison
from bench.report.answers import answers
from bench.report.findings import NO_GRADIENT, find, judge
from bench.report.frames import curves_frame, in_order, results_frame
from bench.report.tables import agreement_table, cost_table, power, spread, training_table
from bench.report.write import write_report

LABELS = np.array([0, 1] * 10)


def one_hot(classes):
    return np.eye(2, dtype=np.float32)[classes]


FROZEN = one_hot(np.ones(20, int))
SOUND = one_hot(LABELS) * 8 - 4


def write_measured(folder, implementation="lowlevel", dataset="large", loss="activated", seed=0, outputs=FROZEN,
                   final_loss=RIGHT + 0.5, gradient=0.0, step_s=0.01, **values):
    """A finished cell of two epochs of four steps of 32 samples; its first step is a warm-up of a second."""
    name = f"{implementation}-{dataset}-{loss}-{seed}"
    right = outputs.argmax(axis=1) == LABELS
    evaluation = {
        "accuracy": float(right.mean()), "loss": final_loss, "gradient_norm": gradient, "global_step": 8,
        "true_positives": int((right & (LABELS == 1)).sum()), "true_negatives": int((right & (LABELS == 0)).sum()),
        "false_positives": int((~right & (LABELS == 0)).sum()), "false_negatives": int((~right & (LABELS == 1)).sum())}
    record = raw.CellRecord(
        name, implementation, dataset, loss, seed, status="ok", log="a.log", length=130, batch_size=32,
        parameters=values.get("parameters", 100), code_lines=50, forked_s=10.0, ended_s=30.0, peak_rss_mib=500.0,
        device_ms=[4.0, 5.0, 60.0], gpu_ms=values.get("gpu_ms"),
        evaluations=[{**evaluation, "epoch": epoch, "began_s": 12.0, "ended_s": 12.0 + epoch} for epoch in (1, 2)])
    steps, now = [], 11.0
    for step in range(8):
        duration = 1.0 if step == 0 else step_s
        steps.append({"global_step": step + 1, "epoch": 1 + step // 4, "loss": 0.5 + step, "samples": 32, "began_s": now,
                      "ended_s": now + duration, "kind": "warm-up" if step == 0 else "steady"})
        now += duration
    raw.write_steps(folder, name, steps)
    raw.write_outputs(folder, name, [*(raw.outputs_table("probe", epoch, LABELS, outputs) for epoch in (1, 2)),
                                     raw.outputs_table("evaluation", 2, LABELS, outputs)])
    raw.write_cell(folder, record)


def texts(folder):
    results = results_frame(folder)
    agreement = agreement_table(folder, results, curves_frame(folder))
    return [finding.text for finding in find(folder, results, results, agreement, [])]


def test_a_row_is_derived_from_the_raw_files(tmp_path):
    write_measured(tmp_path, outputs=FROZEN)
    row = results_frame(tmp_path).iloc[0]
    assert row["samples_per_second"] == pytest.approx(3200) and row["step_ms"] == pytest.approx(10)
    assert row["startup_s"] == pytest.approx(2.0) and row["train_s"] == pytest.approx(3.0)
    assert row["wall_s"] == pytest.approx(20) and row["steps"] == 8
    assert row["device_ms_per_step"] == 5 and math.isnan(row["gpu_ms_per_step"])
    assert (row["true_positives"], row["false_positives"], row["accuracy"], row["saturation"]) == (10, 10, 0.5, 1.0)


def test_curves_have_a_row_an_evaluation_with_the_mean_training_loss(tmp_path):
    write_measured(tmp_path)
    curves = curves_frame(tmp_path)
    assert curves["epoch"].tolist() == [1, 2] and curves["train_loss"].tolist() == pytest.approx([2.0, 6.0])


def test_rows_come_from_low_level_to_high_and_strangers_last():
    frame = pd.DataFrame({"implementation": ["my.port", "keras", "lowlevel"], "dataset": ["small"] * 3,
                          "loss": ["logits"] * 3, "seed": [0] * 3})
    assert in_order(frame)["implementation"].tolist() == ["lowlevel", "keras", "my.port"]


def test_a_frozen_cell_is_named_and_its_loss_taken_apart(tmp_path):
    for name in ("lowlevel", "estimator", "keras"):
        write_measured(tmp_path, name)
    text = next(text for text in texts(tmp_path) if text.startswith("activated, large"))
    assert "all 3 cells stuck" in text and "0.8133 = ln(1+1/e) + 0.50 error" in text and "exactly 0" in text


def test_rows_alike_and_mixed_rows_are_taken_apart_too(tmp_path):
    write_measured(tmp_path, seed=0, outputs=np.ones((20, 2), np.float32), final_loss=math.log(2))
    mixed = FROZEN.copy()
    mixed[:4] = 1
    write_measured(tmp_path, seed=1, outputs=mixed, final_loss=0.789, gradient=0.0)
    text = " ".join(texts(tmp_path))
    assert "0.6931 = ln 2, both outputs alike" in text
    assert "(8 right x 0.3133 + 8 wrong x 1.3133 + 4 alike x 0.6931) / 20 rows" in text


@pytest.mark.parametrize("change, state", [
    ({}, "frozen"), ({"gradient": 0.99 * NO_GRADIENT}, "frozen"), ({"gradient": NO_GRADIENT}, "near chance"),
    ({"outputs": np.where(FROZEN == 1, 0.999, 0.001).astype(np.float32)}, "near chance"),
    ({"outputs": one_hot(LABELS)}, "trained"), ({"loss": "logits", "outputs": SOUND * 0}, "near chance"),
    ({"loss": "logits", "outputs": SOUND}, "trained")])
def test_frozen_near_chance_and_trained_are_told_apart(tmp_path, change, state):
    write_measured(tmp_path, **change)
    assert judge(tmp_path, results_frame(tmp_path).iloc[0]).state == state


def test_a_hidden_bug_is_told_by_its_floor(tmp_path):
    write_measured(tmp_path, dataset="small", outputs=one_hot(LABELS), final_loss=0.3140, gradient=1e-4)
    text = next(text for text in texts(tmp_path) if text.startswith("activated, small"))
    assert "the bug hides" in text and "lowest is 0.3140" in text


def test_a_failed_cell_is_a_row_and_a_finding(tmp_path):
    write_measured(tmp_path)
    raw.write_cell(tmp_path, raw.CellRecord("my-small-logits-0", "my", "small", "logits", 0, reason="ValueError: no"))
    results = results_frame(tmp_path)
    assert sorted(results["status"]) == ["failed", "ok"]
    assert any("my, small, logits, seed 0: failed (ValueError: no)" in text for text in texts(tmp_path))
    assert training_table(results)["cells ok"].tolist() == ["0/1", "1/1"]


def test_relative_throughput_pairs_cells_of_equal_loss_and_seed(tmp_path):
    for seed, step_s in enumerate((0.01, 0.02, 0.01, 0.03, 0.01, 0.02)):
        write_measured(tmp_path, "lowlevel", seed=seed, step_s=step_s)
        write_measured(tmp_path, "keras", seed=seed, step_s=2 * step_s)
    write_measured(tmp_path, "estimator", seed=0)
    table = cost_table(results_frame(tmp_path)).set_index("implementation")
    assert table["relative to lowlevel"].to_dict() == {
        "lowlevel": "1", "keras": "0.50 [0.50, 0.50] slower", "estimator": "1.00 (rounds: 1, too few for an interval)"}
    assert "GPU ms/step" not in table


def test_the_answer_about_cost_has_its_interval_too(tmp_path):
    for seed in range(6):
        write_measured(tmp_path, "lowlevel", seed=seed)
        write_measured(tmp_path, "keras", seed=seed, step_s=0.0125)
    results = results_frame(tmp_path)
    cost = answers(tmp_path, results, results, agreement_table(tmp_path, results, curves_frame(tmp_path)), [])[2]
    assert cost.headline == "At worst keras reaches 80% of lowlevel's throughput, on large."
    assert "large: keras 0.80 [0.80, 0.80] slower" in cost.detail


def test_a_gpu_fills_its_column(tmp_path):
    write_measured(tmp_path, gpu_ms=[2.0, 3.0, 4.0])
    assert cost_table(results_frame(tmp_path))["GPU ms/step"].tolist() == ["3.00 [3.00, 3.00]"]


def test_differences_between_equal_seeds_are_shown(tmp_path):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras", final_loss=RIGHT + 0.5 + 1e-5)
    results = results_frame(tmp_path)
    row = agreement_table(tmp_path, results, curves_frame(tmp_path)).iloc[0]
    assert row["first step"] == 0 and row["evaluations"] == pytest.approx(1e-5) and row["accuracy"] == 0


def test_the_three_answers_say_what_was_not_measured(tmp_path):
    write_measured(tmp_path, loss="logits", outputs=SOUND)
    results = results_frame(tmp_path)
    found = answers(tmp_path, results, results, agreement_table(tmp_path, results, curves_frame(tmp_path)), [])
    assert [answer.headline for answer in found] == ["Not measured in this run.", "No cell is frozen.",
                                                     "Not measured in this run."]


@pytest.mark.parametrize("second_loss, headline", [(1.5 * 1.0009, "Yes"), (1.5 * 1.0011, "No")])
def test_another_update_is_not_the_same_network(tmp_path, second_loss, headline):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras")
    steps = pd.read_csv(tmp_path / "steps" / "keras-large-activated-0.csv")
    steps.loc[1, "loss"] = second_loss
    steps.to_csv(tmp_path / "steps" / "keras-large-activated-0.csv", index=False)
    results = results_frame(tmp_path)
    agreement = agreement_table(tmp_path, results, curves_frame(tmp_path))
    assert answers(tmp_path, results, results, agreement, [])[0].headline.startswith(headline)


def test_another_parameter_count_is_not_the_same_network(tmp_path):
    write_measured(tmp_path, "lowlevel")
    write_measured(tmp_path, "keras", parameters=101)
    results = results_frame(tmp_path)
    agreement = agreement_table(tmp_path, results, curves_frame(tmp_path))
    assert answers(tmp_path, results, results, agreement, [])[0].headline.startswith("No")


def test_text_from_data_is_escaped_in_the_page(tmp_path):
    write_measured(tmp_path)
    raw.write_cell(tmp_path, raw.CellRecord(
        "x", "<script>alert(1)</script>", "small", "logits", 0, reason="<img src=x onerror=alert(2)>"))
    raw.write_text(tmp_path / "environment.json", json.dumps(
        {"packages": {"tensorflow": "<b>2.15</b>"}, "python": "3.11", "cpu": "c", "cores_available": 2, "quick": False}))
    write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    for text in ("<script>alert(1)", "<img src=x", "<b>2.15"):
        assert text not in page


def test_spread_and_power():
    assert spread(pd.Series([3.0, 1.0, np.nan, 2.0]), 1) == "2.0 [1.0, 3.0]"
    assert spread(pd.Series([np.nan]), 1) == "-"
    assert spread(pd.Series([0.0, 2e-5]), power) == "1.0e-05 [0, 2.0e-05]"


def parity(verdict, difference=None):
    stages = [Stage(name, "bit", "all") for name in STAGES[:-1]]
    return Parity("impl_lowlevel", "impl_keras", "a batch", [*stages, Stage("metrics", verdict, "all", difference)], 5.0, 300.0)


def run_with(folder, *comparisons):
    """A run of two implementations on both datasets, with comparisons; the text of its tables, and its page."""
    for implementation in ("lowlevel", "keras"):
        for dataset in ("small", "large"):
            write_measured(folder, implementation, dataset)
    for compared in comparisons:
        write_comparison(folder, compared)
    raw.write_text(folder / "environment.json", json.dumps(
        {"packages": {"tensorflow": "2.15"}, "python": "3.11", "cpu": "c", "cores_available": 2, "quick": False}))
    write_report(folder)
    return (folder / "results.md").read_text(), (folder / "report.html").read_text()


def test_what_failed_parity_is_stamped_in_every_table_and_plot_of_its_dataset(tmp_path):
    different = parity("different", Difference("accuracy", "[0.5]", "[0.25]", 100.0, 7.0))
    text, page = run_with(tmp_path, Compared("keras", "lowlevel", "small", different),
                          Compared("keras", "lowlevel", "large", parity("bit")))
    rows = [line for line in text.splitlines() if line.startswith("|") and "keras" in line and "keras - " not in line]
    stamped = [line for line in rows if "not the same network" in line]
    assert len(stamped) == 2 and all("| small" in line for line in stamped)  # training and cost
    assert "First difference, in metrics: accuracy: [0.5] against [0.25], 100 ULP, 7 x the tolerance" in text
    plots = page[page.index("Throughput"):]
    assert page.count('"keras (not the same network)"') >= 2 and '"keras (not the same network)"' in plots
    assert "No: keras on small differs." in page
    results = pd.read_csv(tmp_path / "results.csv").set_index(["implementation", "dataset"])["parity"]
    assert results["keras", "small"] == "different" and results["keras", "large"] == "same"
    assert results["lowlevel"].isna().all()


def test_what_passed_parity_is_not_stamped(tmp_path):
    text, page = run_with(tmp_path, *(Compared("keras", "lowlevel", dataset, parity("rounding"))
                                      for dataset in ("small", "large")))
    assert "not the same network" not in text + page and "Yes, stage by stage." in page
    assert "2 comparisons of 9 stages: 16 same to the bit, 2 within rounding" in page


def test_what_could_not_be_compared_is_said(tmp_path):
    text, page = run_with(tmp_path, Compared("keras", "lowlevel", "small", None, "candidate keras: its training was not seen"))
    assert "could not be compared: candidate keras: its training was not seen" in text and "(not the same" not in text
    assert "Not all could be compared." in page


def test_a_comparison_comes_back_as_it_was_stored(tmp_path):
    stored = Compared("my.port", "lowlevel", "large", parity("different", Difference("x", "1", "2", float("inf"), 3.0)))
    write_comparison(tmp_path, stored)
    (back,) = read_comparisons(tmp_path)
    assert back.differs and back.parity.first_different.difference.ulps is None
    assert (back.implementation, back.reference, back.dataset) == ("my.port", "lowlevel", "large")
    assert back.parity.stages[0] == stored.parity.stages[0]
