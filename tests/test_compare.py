"""`python -m bench compare` as its users call it, on folders written by hand."""

import json
import shutil

import pytest
from conftest import run_module, slow_after
from test_report import ENVIRONMENT, write_measured
from timings import noisy, write_timings

from bench.durable import write_text


def run_folder(folder, factor=1.0, rounds=16, spread=0.01, seed=0, environment=None, **cell):
    """Writes a run of one implementation on small that is faster or slower by a factor."""
    rates = {
        f"lowlevel-{profile}": noisy(100 * factor, rounds, spread, seed + number)
        for number, profile in enumerate(("default", "tuned", "again"))
    }
    rates["floor-floor"] = noisy(1000, rounds, spread, seed + 9)
    write_timings(folder, rates)
    write_measured(folder, "lowlevel", "small", kind="logits", **cell)
    write_text(folder / "environment.json", json.dumps({**ENVIRONMENT, **(environment or {})}))
    return folder


def compare(*arguments):
    return run_module("bench", "compare", *arguments)


@pytest.mark.parametrize(
    ("factor", "code", "verdict"),
    slow_after(
        1, [(1.0, 0, "equivalent"), (1.2, 0, "faster"), (0.93, 0, "slower"), (0.8, 1, "beyond")]
    ),
)
def test_the_exit_code_tells_a_slowdown_beyond_the_limit(tmp_path, factor, code, verdict):
    process = compare(run_folder(tmp_path / "a"), run_folder(tmp_path / "b", factor, seed=50))
    assert process.returncode == code, process.stderr
    assert verdict in process.stdout
    assert ("slower by more than 10%: small lowlevel-default" in process.stdout) == (code == 1)


@pytest.mark.slow
def test_the_limit_can_be_set(tmp_path):
    folders = run_folder(tmp_path / "a"), run_folder(tmp_path / "b", 0.93, seed=50)
    assert compare(*folders, "--fail-over", "3%").returncode == 1
    assert compare(*folders, "--fail-over", "20%").returncode == 0


@pytest.mark.slow
def test_a_slowdown_that_noise_could_explain_does_not_fail(tmp_path):
    process = compare(
        run_folder(tmp_path / "a", spread=0.3),
        run_folder(tmp_path / "b", 0.95, spread=0.3, seed=50),
    )
    assert process.returncode == 0
    assert "unresolved" in process.stdout


@pytest.mark.parametrize(
    ("environment", "cell", "reason"),
    slow_after(
        1,
        [
            ({"cpu": "another"}, {}, "different machines: cpu is c and another"),
            (
                {},
                {"parameters": 101},
                "different networks: lowlevel on small has 100 and 101 parameters",
            ),
            (
                {"settings": {"small": {"digest": "other", "epochs": 2}}},
                {"data": "other"},
                "different data or epochs: small",
            ),
            ({"quick": True}, {}, "one of them is a --quick run"),
        ],
    ),
)
def test_what_was_measured_otherwise_is_refused_with_the_reason(
    tmp_path, environment, cell, reason
):
    folders = (
        run_folder(tmp_path / "a"),
        run_folder(tmp_path / "b", environment=environment, seed=50, **cell),
    )
    process = compare(*folders)
    assert process.returncode == 2
    assert reason in process.stderr
    assert process.stderr.count("\n") == 1
    forced = compare(*folders, "--force")
    assert forced.returncode == 0
    assert f"compared in spite of {reason}" in forced.stdout


@pytest.mark.slow
def test_missing_cells_are_listed_and_the_rest_is_compared(tmp_path):
    first, second = run_folder(tmp_path / "a"), run_folder(tmp_path / "b", seed=50)
    write_measured(first, "keras", "small", kind="logits")
    process = compare(first, second)
    assert process.returncode == 0
    assert f"cell keras-default-small-logits-0 is missing in {second}" in process.stdout
    shutil.rmtree(second / "rounds")
    process = compare(first, second)
    assert process.returncode == 2
    assert "no throughput in common" in process.stderr
    assert f"throughput of lowlevel-tuned on small is missing in {second}" in process.stdout


def test_a_folder_without_a_run_is_bad_input(tmp_path):
    process = compare(run_folder(tmp_path / "a"), tmp_path)
    assert process.returncode == 2
    assert "holds no run" in process.stderr
