"""The benchmark as its users run it, with real processes, real files and a real browser."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, run_module, slow_after

from bench.report.findings import judge_all
from bench.report.frames import results_frame
from bench.results.run import Run

REQUIRED = [
    "implementation",
    "profile",
    "dataset",
    "outputs",
    "seed",
    "status",
    "accuracy",
    "final_loss",
    "true_positives",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "global_step",
    "samples_per_second",
    "step_ms",
    "device_ms_per_step",
    "gpu_ms_per_step",
    "peak_rss_mib",
    "startup_s",
    "train_s",
    "wall_s",
    "steps",
    "parameters",
    "code_lines",
]


@pytest.mark.slow
def test_a_quick_run_measures_every_kind_of_cell(quick_run):
    folder, process = quick_run
    assert process.returncode == 0, process.stderr
    results = pd.read_csv(folder / "results.csv")
    assert set(REQUIRED) <= set(results.columns)
    assert len(results) == 18
    assert (results["status"] == "ok").all()
    assert results.groupby(["implementation", "profile", "dataset", "outputs"]).ngroups == 18
    measured = [
        "accuracy",
        "final_loss",
        "peak_rss_mib",
        "startup_s",
        "train_s",
        "wall_s",
        "graph_s",
        "first_step_s",
        "evaluation_s",
        "checkpoint_s",
        "checkpoint_kib",
    ]
    assert (results[measured] >= 0).all(axis=None)
    steady = results[
        (results["profile"] == "default") | (results["dataset"] == "small")
    ]  # In a quick run, tuned runs of large end before their warm-up does.
    assert (steady[["samples_per_second", "step_ms"]] > 0).all(axis=None)
    assert (results.loc[results["dataset"] == "small", ["device_ms_per_step", "of_floor"]] > 0).all(
        axis=None
    )
    assert results["gpu_ms_per_step"].isna().all()
    assert "No GPU was there" in (folder / "results.md").read_text()
    assert (results.groupby("dataset")["parameters"].nunique() == 1).all()


@pytest.mark.slow
def test_everything_promised_is_in_the_folder(quick_run):
    folder, _ = quick_run
    for name in (
        "results.csv",
        "throughput.csv",
        "curves.csv",
        "environment.json",
        "results.md",
        "curves.png",
        "report.html",
    ):
        assert (folder / name).stat().st_size > 100
    for name in ("cells", "steps", "outputs"):
        assert len(list((folder / name).iterdir())) == 18
    assert len(list((folder / "traces").iterdir())) == 8
    assert len(list((folder / "rounds").iterdir())) == 4
    assert len(pd.read_csv(folder / "curves.csv")) == 18 * 3


def test_the_parts_of_a_real_step_are_there_and_add_up(small_run):
    folder, _ = small_run
    throughput = pd.read_csv(folder / "throughput.csv")
    assert len(throughput) == 6
    assert throughput["samples_per_second"].gt(0).all()
    assert throughput["of_floor"].dropna().gt(0).all()
    parts = throughput[["kernels_ms", "input_ms", "runtime_ms", "api_ms", "python_ms"]]
    noise = (
        0.05 * throughput["wall_ms"]
    )  # A part is a difference of medians, and a quick run has few calls.
    assert parts.ge(-noise, axis=0).all(axis=None)
    assert (parts["kernels_ms"] > 0.1).all()
    total = parts.sum(axis=1) + throughput["residual_ms"]
    assert total.to_numpy() == pytest.approx(throughput["wall_ms"].to_numpy(), rel=0.02)


def test_environment_is_recorded(small_run):
    folder, _ = small_run
    assert json.loads((folder / "environment.json").read_text())["packages"][
        "tensorflow"
    ].startswith("2.15")


@pytest.mark.slow
def test_the_terminal_is_spared_tensorflows_chatter(quick_run):
    """Looks at a new Python: in a forked command TensorFlow has said what it says already."""
    _, process = quick_run
    assert process.stderr == ""
    assert "TensorRT" not in process.stdout
    assert "rebuild TensorFlow" not in process.stdout


@pytest.mark.slow
def test_the_terminal_ends_with_one_table_and_three_answers(quick_run):
    folder, process = quick_run
    end = process.stdout[process.stdout.rindex("took turns in") :].split("\n")[1:]
    assert len(end) <= 30
    assert max(map(len, end)) <= 100
    for begin in (*["lowlevel ", "estimator ", "keras "] * 2, "small:", "large:"):
        assert sum(line.startswith(begin) for line in end) == (1 if begin.endswith(":") else 2)
    for question in (
        "Why does it not train?   Activated outputs go into a loss that takes logits",
        "Is it the same network?  Yes, stage by stage",
        "What does each API cost? On small, ",
        f"{folder / 'results.md'} has all tables, findings and ",
        "A --quick run",
    ):
        assert sum(line.startswith(question) for line in end) == 1, question


def test_everything_else_is_in_the_markdown_report(small_run):
    text = (small_run[0] / "results.md").read_text()
    for title in (
        "Does it train?",
        "What does each API cost?",
        "Where does the time of a step go?",
        "What else does it cost?",
        "What differs between the APIs, with equal seeds?",
        "Does a tuned run end as the default one?",
        "Warnings",
    ):
        assert f"\n## {title}\n" in text
    assert "samples per second by default" in text
    assert "A --quick run" in text


def test_a_small_run_has_a_cell_of_every_kind_and_its_apis_agree(small_run):
    folder, process = small_run
    assert process.returncode == 0, process.stderr
    results = pd.read_csv(folder / "results.csv")
    assert (results["status"] == "ok").all()
    assert results.groupby(["implementation", "profile", "outputs"]).ngroups == len(results) == 6
    losses = results.pivot_table(
        index=["profile", "outputs"], columns="implementation", values="final_loss"
    )
    assert losses["keras"].to_numpy() == pytest.approx(
        losses["lowlevel"].to_numpy(), rel=3e-2, abs=1e-3
    )


@pytest.mark.slow
def test_the_three_apis_agree_in_a_quick_run(quick_run):
    folder, _ = quick_run
    curves = pd.read_csv(folder / "curves.csv")
    losses = curves.pivot_table(
        index=["profile", "dataset", "outputs", "epoch"],
        columns="implementation",
        values="evaluation_loss",
    )
    assert losses["estimator"].to_numpy() == pytest.approx(
        losses["lowlevel"].to_numpy(), rel=1e-3, abs=1e-5
    )
    assert losses["keras"].to_numpy() == pytest.approx(
        losses["lowlevel"].to_numpy(), rel=3e-2, abs=1e-3
    )


def test_the_seeds_port_freezes_on_the_large_dataset():
    process = run_module(
        *("impl_lowlevel", "--dataset", "large", "--samples", 64),
        *("--epochs", 3, "--outputs", "activated"),
    )
    assert process.returncode == 0, process.stderr
    lines = [line for line in process.stdout.splitlines() if line.startswith("epoch ")]
    first, second, third = (ast.literal_eval(line.partition(": ")[2]) for line in lines)
    assert first.pop("global_step") + 4 == second.pop("global_step") + 2 == third.pop("global_step")
    assert second == third
    assert 0.35 <= third["accuracy"] <= 0.65


@pytest.mark.slow
def test_the_seeds_failure_happens_in_all_three_and_its_loss_is_the_sum_over_rows(quick_run):
    folder, _ = quick_run
    cells = Run.load(folder).cells
    results = results_frame(cells.values(), pd.DataFrame())
    stuck = results[(results["dataset"] == "large") & (results["outputs"] == "activated")]
    assert len(stuck) == 3
    for verdict in judge_all(cells, stuck):
        assert verdict.state == "frozen"
        assert 0.35 <= verdict.cell["accuracy"] <= 0.65
        assert verdict.cell["final_loss"] == pytest.approx(verdict.rows.loss, abs=1e-5)


@pytest.mark.slow
def test_part_of_the_table_can_be_measured_again_beside_the_rest(quick_run, tmp_path):
    folder = shutil.copytree(quick_run[0], tmp_path / "again")
    before = pd.read_csv(folder / "results.csv")
    part = (
        "--impl",
        "keras",
        "--profile",
        "default",
        "--dataset",
        "small",
        "--outputs",
        "logits",
        "--out",
        folder,
    )
    process = run_module("bench", "run", "--quick", *part)
    assert process.returncode == 0, process.stderr
    after = pd.read_csv(folder / "results.csv")
    assert len(after) == 18
    assert len(pd.read_csv(folder / "throughput.csv")) == 8
    same = before["wall_s"] == after["wall_s"]
    assert (~same).sum() == 1
    assert after.loc[~same, "implementation"].tolist() == ["keras"]
    assert (before["of_floor"] != after["of_floor"]).any()
    twin = (
        pd.read_csv(folder / "throughput.csv").set_index("profile").loc["again", "implementation"]
    )
    assert twin == "lowlevel"  # All are still compared with it.
    other = run_module("bench", "run", "--quick", "--epochs", 2, *part)
    assert other.returncode == 2
    assert "another number of epochs" in other.stderr
    assert pd.read_csv(folder / "results.csv").equals(after)


def test_the_report_is_made_again_from_the_raw_files_alone(small_run, tmp_path):
    folder = shutil.copytree(small_run[0], tmp_path / "again")
    derived = {
        name: (folder / name).read_bytes()
        for name in ("results.csv", "throughput.csv", "curves.csv", "results.md")
    }
    for name in (*derived, "report.html", "curves.png"):
        (folder / name).unlink()
    process = run_module("bench", "report", folder)
    assert process.returncode == 0, process.stderr
    assert {name: (folder / name).read_bytes() for name in derived} == derived
    assert (folder / "report.html").exists()
    assert "What does each API cost? On small, " in process.stdout
    nothing = run_module("bench", "report", tmp_path)
    assert nothing.returncode == 2
    assert "holds no run" in nothing.stderr
    assert nothing.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_cell_that_crashes_is_a_row_and_the_others_go_on(tmp_path):
    (tmp_path / "raises.py").write_text(
        "def train(task, observer):\n    raise ValueError('no good\\nat all')\n"
    )
    (tmp_path / "dies.py").write_text(
        "import os\n\ndef train(task, observer):\n    os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    out = tmp_path / "out"
    process = run_module(
        "bench",
        "run",
        "--quick",
        "--profile",
        "default",
        "--dataset",
        "small",
        "--outputs",
        "logits",
        "--out",
        out,
        "--impl",
        "raises",
        "--impl",
        "dies",
        "--impl",
        "broken",
        "--impl",
        "lowlevel",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.returncode == 1
    rows = pd.read_csv(out / "results.csv").set_index("implementation")
    assert rows["status"].to_dict() == {
        "raises": "failed",
        "dies": "failed",
        "broken": "unavailable",
        "lowlevel": "ok",
    }
    assert rows.loc["raises", "reason"] == "ValueError: no good"
    assert rows.loc["dies", "reason"] == "its process was killed by SIGKILL"
    assert "nothing_of_that_name" in rows.loc["broken", "reason"]
    assert "Traceback" in (out / rows.loc["raises", "log"]).read_text()
    assert (out / "report.html").exists()
    text = (out / "results.md").read_text()
    assert "small: raises default took no part in the rounds: ValueError: no good" in text
    assert (
        "small: dies default took no part in the rounds: its process was killed by SIGKILL" in text
    )
    assert "lowlevel" in pd.read_csv(out / "throughput.csv")["implementation"].tolist()


@pytest.mark.slow
def test_a_comparison_joins_the_report_of_a_run(quick_run, tmp_path):
    folder, ports = shutil.copytree(quick_run[0], tmp_path / "run"), f"{ROOT}/tests/ports.py"
    process = run_module(
        "bench",
        "parity",
        f"{ports}:model",
        f"{ports}:wrong_loss_sum",
        "--steps",
        "5",
        "--out",
        folder,
    )
    assert process.returncode == 1, process.stderr
    page = (folder / "report.html").read_text()
    assert "wrong_loss_sum" in page
    assert "reduction: mean over samples" in page
    process = run_module("bench", "parity", "keras", "keras", "--out", tmp_path / "none")
    assert process.returncode == 2
    assert "holds no run" in process.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--precision", "2"), ("--precision", "0%"), ("--budget", "10"), ("--profile", "fast")],
)
def test_bad_quantities_are_one_line(tmp_path, option, value):
    process = run_module("bench", "all", option, value, "--out", tmp_path / "out")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert value in process.stderr
    assert not (tmp_path / "out").exists()


def wait_for(condition, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.1)


@pytest.mark.slow
def test_ctrl_c_keeps_what_had_finished_and_leaves_no_process(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench",
            "run",
            "--quick",
            "--dataset",
            "small",
            "--epochs",
            "100",
            "--out",
            tmp_path,
        ],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: list(tmp_path.glob("cells/*.json")), process)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "report.html has the pictures" in stdout
    assert 1 <= len(pd.read_csv(tmp_path / "results.csv")) < 6
    deadline = time.monotonic() + 20
    while subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True).stdout:
        assert time.monotonic() < deadline, "a process was left"
        time.sleep(0.2)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lowlevel", marks=pytest.mark.slow),
        pytest.param("estimator", marks=pytest.mark.slow),
        "keras",
    ],
)
def test_an_implementation_runs_alone_and_stops_cleanly_on_ctrl_c(name, tmp_path):
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"impl_{name}",
                "--outputs",
                "activated",
                "--epochs",
                "500",
                "--seed",
                "3",
            ],
            cwd=ROOT,
            text=True,
            stdout=file,
            stderr=subprocess.PIPE,
        )
        wait_for(lambda: "epoch 2:" in output.read_text(), process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("interrupted after")
    assert stderr.count("\n") == 1
    first = next(line for line in output.read_text().splitlines() if line.startswith("epoch"))
    assert first.startswith("epoch 1: {")
    assert "'global_step': 125" in first
    assert all(
        f"'{field}'" in first
        for field in (
            "accuracy",
            "loss",
            "true_positives",
            "true_negatives",
            "false_positives",
            "false_negatives",
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lowlevel", marks=pytest.mark.slow),
        pytest.param("estimator", marks=pytest.mark.slow),
        "keras",
    ],
)
def test_checkpoints_and_summaries_stay_where_they_are_asked_for(name, tmp_path):
    folder = tmp_path / "model"
    process = run_module(f"impl_{name}", "--epochs", 1, "--model-dir", folder, "--tensorboard")
    assert process.returncode == 0, process.stderr
    assert list(folder.glob("*.index"))
    assert list(folder.rglob("events.out.tfevents.*"))
    again = run_module(f"impl_{name}", "--epochs", 1, "--model-dir", folder)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    assert again.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lowlevel", "estimator", "keras"])
def test_the_tuned_profile_runs_alone_too(name):
    process = run_module(f"impl_{name}", "--epochs", 2, "--profile", "tuned")
    assert process.returncode == 0, process.stderr
    assert "epoch 2: {'global_step': 250" in process.stdout
    both = run_module(f"impl_{name}", "--profile", "tuned", "--tensorboard")
    assert both.returncode == 2
    assert "writes no summaries" in both.stderr
    assert both.stderr.count("\n") == 1


@pytest.mark.slow
def test_data_lists_and_draws_the_datasets(tmp_path):
    process = run_module("bench", "data", "--picture", tmp_path / "samples.png")
    assert process.returncode == 0, process.stderr
    assert "small: 130 values a sample, 4,000 for training, 1,000 for evaluation" in process.stdout
    assert "large: 60,000 values a sample, 400 for training, 100 for evaluation" in process.stdout
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")


def open_report(browser, folder: Path, width: int, height: int):
    """Opens a report without a network; returns (page, errors on its console)."""
    page = browser.new_context(viewport={"width": width, "height": height}, offline=True).new_page()
    errors = []
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"file://{folder}/report.html", wait_until="load")
    page.wait_for_function("document.querySelectorAll('.plotly-graph-div .main-svg').length > 0")
    return page, errors


@pytest.mark.slow
def test_the_page_renders_offline_with_all_its_traces(quick_run, browser):
    page, errors = open_report(browser, quick_run[0], 1280, 900)
    plots = page.evaluate("""() => [...document.querySelectorAll('.plot')].map(plot => ({
        title: plot.querySelector('h3').textContent,
        names: plot.querySelector('.plotly-graph-div').data.map(trace => trace.name),
        points: plot.querySelector('.plotly-graph-div').data.at(-1).y.length,
        fits: plot.querySelector('.main-svg').getBoundingClientRect().width
            <= plot.getBoundingClientRect().width}))""")
    assert errors == []
    curves = [plot for plot in plots if not plot["title"].startswith("Where")]
    assert len(curves) == 8
    for plot in curves:
        assert [name for name in plot["names"] if name] == ["logits", "activated"]
        assert plot["points"] == 3
    assert [len(plot["names"]) for plot in plots if plot["title"].startswith("Where")] == [5]
    assert all(plot["fits"] for plot in plots)
    assert (
        page.locator("table").count() == 1 + 8 + 7 + 2 + 1 + 1
    )  # grid, results, kernels, parity stages, environment, causes


@pytest.mark.parametrize(("width", "height"), slow_after(1, [(1280, 800), (390, 844)]))
def test_the_first_screen_answers_the_three_questions_with_pictures(
    small_run, browser, width, height
):
    page, errors = open_report(browser, small_run[0], width, height)
    for what in ("figure", ".headline"):
        boxes = [one.bounding_box() for one in page.locator(f".answer {what}").all()]
        assert len(boxes) == 3
        assert all(box["y"] + box["height"] <= height for box in boxes)
    assert all(page.locator(".answer .headline").all_inner_texts())
    assert page.locator(".answer .plotly-graph-div").count() == 2
    assert page.locator(".answer .grid tbody tr").count() == 9
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []


@pytest.mark.slow
def test_the_page_prints(quick_run, browser, tmp_path):
    page, _ = open_report(browser, quick_run[0], 1280, 900)
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
