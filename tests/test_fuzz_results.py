"""Result folders from strangers: a report is made of any files, or one line says why not.

No file outside the folder is touched.
"""

import json
import random
import shutil
import sys
import time
import warnings

import pytest
from conftest import slow_after
from hostile import mend_digests, spoil
from test_report import ENVIRONMENT, RATES, SOUND, parity, write_measured
from timings import write_timings

from bench.diagnose.cells import diagnose_cell
from bench.durable import write_text
from bench.parity.result import Difference
from bench.report.compare import compare_runs
from bench.report.replay import write_replay
from bench.report.sweep import write_sweep
from bench.report.write import write_report
from bench.results.comparisons import StoredComparison, write_comparison
from bench.results.files import RawFileError
from bench.results.imports import write_imports
from bench.results.layout import FORMAT
from bench.results.run import Run
from bench.task import UserError

SECONDS = 60
"""Largest CPU time for any folder, in seconds; one second is usual."""

_opened: set[str] = set()
sys.addaudithook(
    lambda event, arguments: _opened.add(str(arguments[0])) if event == "open" else None
)


def replayed() -> dict:
    """Returns a small version of what `python -m bench replay` stores."""
    found = {"title": "a title", "evidence": "numbers", "lines": ["train.py:1: x"]}
    training = {
        "dataset": "large",
        "outputs": "activated",
        "implementation": "keras",
        "state": "not trained",
        "accuracy": 0.5,
        "final_loss": 0.8,
        "explanations": [found],
        "losses": [0.7, None],
        "evaluation_outputs": [[0.0, 1.0]] * 4,
        "labels": [0, 1, 0, 1],
        "shown": [0, 1],
        "looks": [{"step": 1, "gradient_norm": 0.1, "saturated": 0.5}],
    }
    comparison = {
        "dataset": "large",
        "implementation": "keras",
        "stages": {"data": "bit", "loss": "different"},
        "explanations": [found],
    }
    return {
        "source": "synthetic",
        "trainings": [training, {**training, "outputs": "logits"}],
        "comparisons": [comparison],
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Returns a small result folder with files of every kind."""
    folder = tmp_path_factory.mktemp("strangers") / "whole"
    for implementation in ("lowlevel", "keras"):
        write_measured(folder, implementation)
        write_measured(folder, implementation, "small", "logits", outputs=SOUND)
    write_measured(folder, "keras", "small", "logits", outputs=SOUND, profile="tuned")
    write_timings(folder, RATES, "8x130", clocks=True, gpu=True)
    different = parity("different", Difference("accuracy", "[0.5]", "[0.25]", 100.0, 7.0))
    write_comparison(folder, StoredComparison("keras", "lowlevel", "small", different))
    write_comparison(folder, StoredComparison("keras", "lowlevel", "large", None, "no reason"))
    write_imports(folder, [{"implementation": "lowlevel", "round": 1, "import_s": 6.0}])
    write_text(
        folder / "environment.json",
        json.dumps({**ENVIRONMENT, "precision": 0.02, "governor": ["powersave"]}),
    )
    write_text(folder / "sweep.json", json.dumps({"format": FORMAT, "skipped": ["a size"]}))
    write_text(folder / "replay.json", json.dumps(replayed()))
    return folder


def spoiled(whole, tmp_path, seed):
    """Copies the folder and changes a few files at random; returns the copy and what was done."""
    generator = random.Random(seed)
    folder = shutil.copytree(whole, tmp_path / "folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".csv"))
    done = [spoil(path, generator) for path in generator.sample(files, generator.choice([1, 1, 3]))]
    if generator.random() < 0.7:
        mend_digests(folder)
    return folder, f"seed {seed}: {done}"


def canary(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("sings")
    return outside


def survives(what, action, *arguments):
    """Checks that an action ends in time and raises nothing worse than an error of one line."""
    began = time.process_time()
    message = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of numbers that are not finite.
            action(*arguments)
    except UserError as error:
        message = str(error)
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert message.isprintable(), what
    assert len(message) < 2000, what
    assert message.isprintable(), what
    assert len(message) < 2000, what
    assert time.process_time() - began < SECONDS, what


def reading(folder):
    problems = Run.load(folder).problems
    assert all(problem.isprintable() and problem.startswith("Left out ") for problem in problems)


@pytest.mark.parametrize("block", slow_after(1, range(8)))
def test_any_file_may_be_damaged_and_reading_says_so_in_a_line(whole, tmp_path, block):
    for seed in range(block * 30, block * 30 + 30):
        folder, what = spoiled(whole, tmp_path, seed)
        survives(what, reading, folder)
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("block", slow_after(1, range(4)))
def test_any_file_may_be_damaged_and_the_report_is_made_of_the_rest(whole, tmp_path, block):
    outside = canary(tmp_path)
    for seed in range(1000 + block * 5, 1000 + block * 5 + 5):
        folder, what = spoiled(whole, tmp_path, seed)
        _opened.clear()
        survives(what, write_report, folder)
        if seed % 5 == 0:
            survives(what, compare_runs, whole, folder, 0.1)
            survives(what, write_sweep, folder)
            survives(what, write_replay, folder)
            for path in folder.glob("cells/*.json"):
                survives(what, diagnose_cell, path)
        assert not any(str(outside) in name for name in _opened), what
        shutil.rmtree(folder)
    assert [path.read_text() for path in outside.iterdir()] == ["sings"]
    assert {path.name for path in tmp_path.iterdir()} == {"outside"}


def test_an_undamaged_folder_loses_nothing(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "folder")
    report = write_report(folder)
    assert not any("Left out" in finding.text for finding in report.findings)
    assert len(report.tables) == 9
    assert len(compare_runs(whole, folder, 0.1).table) == 4
    assert "has the story" in write_replay(folder)
    assert "Nothing was measured." not in write_sweep(folder).texts
    (folder / "environment.json").write_text("{")
    with pytest.raises(RawFileError, match="is damaged"):
        write_report(folder)
