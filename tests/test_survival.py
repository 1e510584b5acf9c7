"""What survives what: real processes are killed, interrupted, starved and locked out."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from conftest import MARK, REAL, command_server, run_module, run_new_module
from test_benchmark import wait_for

from bench.durable import write_text
from bench.results.cells import cell_names, read_cell
from bench.run.lock import held
from bench.task import UserError

TINY = """
import time

import numpy as np

from bench.task import Evaluation, Probe, Trained

LOSS = 0.5


def train(task, observer):
    labels = (task.dataset.probe.labels, task.dataset.evaluation_labels)
    outputs = [np.zeros((len(found), 2), np.float32) for found in labels]
    observer.begin()
    for epoch in range(task.epochs):
        for step in range(task.steps_per_epoch):
            time.sleep(0.001)
            observer.step(LOSS)
        steps = task.steps_per_epoch * (epoch + 1)
        observer.evaluation(Evaluation(steps, 0.5, LOSS, 50, 0, 50, 0), Probe(0.1, outputs[0]))
    return Trained(outputs[1], 10)
"""
"""An implementation that keeps the contract without TensorFlow."""

MISBEHAVING = {
    "sleeps": "import time\n\ndef train(task, observer):\n    time.sleep(1000)\n",
    "eats": "import time\nimport numpy as np\n\ndef train(task, observer):\n"
    "    eaten = []\n    while True:\n"
    "        eaten.append(np.ones(2**22))\n        time.sleep(0.02)\n",
    "asks": "import numpy as np\n\ndef train(task, observer):\n    np.ones(2**50)\n",
    "nans": TINY.replace("LOSS = 0.5", "LOSS = float('nan')"),
    "raises": "def train(task, observer):\n    raise ValueError('no good')\n",
    "exits": "def train(task, observer):\n    raise SystemExit(3)\n",
    "dies": "import os\n\ndef train(task, observer):\n    os.kill(os.getpid(), 11)\n",
    "missing": "import nothing_of_that_name\n",
    "silent": "def train(task, observer):\n    pass\n",
    "leaves": "import subprocess\nimport tiny\n\ndef train(task, observer):\n"
    "    subprocess.Popen(['sleep', '1000'])\n"
    "    subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
    "    return tiny.train(task, observer)\n",
}


@pytest.fixture
def surroundings(tmp_path):
    """Yields the environment of a run that finds the modules above.

    It marks the processes of the run, and has its own folder for temporary files.
    """
    for folder in ("modules", "out"):
        (tmp_path / folder).mkdir()
    for name, text in {"tiny": TINY, **MISBEHAVING}.items():
        (tmp_path / "modules" / f"{name}.py").write_text(text)
    # The folder's name is short: the path of a socket in it has 108 characters at most.
    with tempfile.TemporaryDirectory() as temporary:
        yield {
            **os.environ,
            "PYTHONPATH": str(tmp_path / "modules"),
            "TMPDIR": temporary,
            **MARK,
        }


def marked_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if MARK.items() <= process.environ().items() and process.pid != command_server().pid:
                found.append(process)
    return found


def nothing_is_left(surroundings, seconds=30):
    """Checks that soon no process and no temporary file is left.

    The reaper of a killed runner ends the processes and removes the files.
    """
    deadline = time.monotonic() + seconds
    temporary = surroundings["TMPDIR"]
    while left := marked_processes() + os.listdir(temporary):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    return True


def records_of(folder) -> dict[str, bytes]:
    """Returns the records of a folder by name; reading fails unless each is whole."""
    return {
        name: (folder / "cells" / f"{name}.json").read_bytes()
        for name in cell_names(folder)
        if read_cell(folder, name)
    }


def finished(records: dict[str, bytes]) -> dict[str, bytes]:
    return {
        name: content for name, content in records.items() if json.loads(content)["status"] == "ok"
    }


SMALL = ["--quick", "--dataset", "small", *(["--records", REAL] if REAL else [])]


def bench(verb, out, surroundings, *arguments):
    """Runs a verb on the small dataset."""
    return run_module("bench", verb, *SMALL, "--out", out, *arguments, env=surroundings)


def start(out, surroundings, *implementations):
    """Starts a run of implementations on the small dataset."""
    options = [option for name in implementations for option in ("--impl", name)]
    return command_server().start(
        "bench", "run", *SMALL, "--outputs", "logits", "--out", out, *options, env=surroundings
    )


RUNS, SEEDS = 30, 100


@pytest.mark.slow
def test_no_cell_is_lost_doubled_or_half_written_by_30_kills_at_random_moments(
    tmp_path, surroundings
):
    """Kills the runner, its running cell, or both. The last run finds what they left."""
    moments, out, done = random.Random(6), tmp_path / "out", {}
    killed = {"runner": 0, "cell": 0, "both": 0}
    prepared = bench(
        "all", tmp_path / "other", surroundings, "--impl", "tiny", "--outputs", "logits"
    )  # This makes the dataset.
    assert prepared.returncode == 0, prepared.stderr
    command = ("bench", "all", *SMALL, "--out", out, "--impl", "tiny", "--seeds", SEEDS)
    for _ in range(RUNS):
        victim = moments.choice(list(killed))
        process = command_server().start(*command, env=surroundings)
        runner = psutil.Process(process.pid)
        starting = moments.random() < 0.2
        if not starting:
            wait_until(has_come_to_a_cell, process)
        time.sleep(moments.uniform(0, 1))
        if not starting:  # The runner may be between two cells.
            wait_until(has_come_to_a_cell, process)
        cells = cells_of(runner)
        if victim != "runner" and cells:
            with contextlib.suppress(psutil.NoSuchProcess):  # It has just ended.
                cells[0].kill()
                killed[victim] += 1
        if victim == "cell":
            time.sleep(moments.uniform(0, 0.5))
        process.kill()
        process.wait()
        killed["runner"] += victim == "runner"
        assert nothing_is_left(surroundings)
        records = records_of(out)
        assert done.items() <= records.items()  # None was run again.
        done = finished(records)
    assert min(killed.values()) >= 3, killed
    assert len(done) >= 10
    process = bench("all", out, surroundings, "--impl", "tiny", "--seeds", SEEDS)
    assert process.returncode == 0, process.stderr
    assert f"kept {len(done)} of {2 * SEEDS} cells measured before" in process.stdout
    results = pd.read_csv(out / "results.csv")
    assert len(results) == 2 * SEEDS == len(results.drop_duplicates(["outputs", "seed"]))
    assert (results["status"] == "ok").all()
    assert done.items() <= records_of(out).items()
    assert not list(out.rglob("*.unfinished"))
    assert nothing_is_left(surroundings)


def has_come_to_a_cell(process) -> bool:
    """Returns whether a run has a cell that runs now, or has ended."""
    return process.poll() is not None or bool(cells_of(psutil.Process(process.pid)))


def wait_until(condition, *arguments, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition(*arguments):
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.02)


def cells_of(runner: psutil.Process) -> list[psutil.Process]:
    """Returns the cells that run now: of the processes of a run, those that print into a log."""
    cells = []
    with contextlib.suppress(psutil.Error):
        for child in runner.children(recursive=True):
            with contextlib.suppress(OSError):
                output = Path(os.readlink(f"/proc/{child.pid}/fd/1"))
                if output.parent.name == "logs":
                    cells.append(child)
    return cells


def test_each_misbehaving_implementation_is_a_row_with_its_status_and_harms_no_other(
    tmp_path, surroundings
):
    out = tmp_path / "out"
    every = [option for name in (*MISBEHAVING, "tiny") for option in ("--impl", name)]
    process = bench(
        "run",
        out,
        surroundings,
        "--outputs",
        "logits",
        "--cell-timeout",
        "4s",
        "--cell-memory",
        "1GiB",
        *every,
    )
    assert process.returncode == 1
    assert process.stderr == ""
    rows = pd.read_csv(out / "results.csv").set_index("implementation")
    assert rows["status"].to_dict() == {
        "sleeps": "timeout",
        "eats": "out_of_memory",
        "asks": "out_of_memory",
        "nans": "diverged",
        "raises": "failed",
        "exits": "failed",
        "dies": "failed",
        "missing": "unavailable",
        "silent": "failed",
        "leaves": "ok",
        "tiny": "ok",
    }
    reasons = {
        "sleeps": "longer than 4 s",
        "eats": "more than 1,024 MiB",
        "nans": "the loss of step 1 is nan",
        "exits": "SystemExit: 3",
        "dies": "killed by SIGSEGV",
        "missing": "nothing_of_that_name is not installed",
        "silent": "returned NoneType",
    }
    for name, reason in reasons.items():
        assert reason in rows.loc[name, "reason"]
        assert "\n" not in rows.loc[name, "reason"]
    assert all((out / log).is_file() for log in rows["log"])
    assert read_cell(out, "nans-default-small-logits-0").measured
    assert (out / "report.html").is_file()
    variants = json.loads((out / "rounds" / "small-variants.json").read_text())["variants"]
    statuses = {
        record["implementation"]: record["status"]
        for record in variants
        if record["profile"] == "default"
    }
    assert statuses == {
        "sleeps": "timeout",
        "eats": "out_of_memory",
        "asks": "out_of_memory",
        "nans": "ok",
        "raises": "failed",
        "exits": "failed",
        "dies": "failed",
        "missing": "unavailable",
        "silent": "failed",
        "leaves": "ok",
        "tiny": "ok",
    }
    assert nothing_is_left(surroundings)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_interrupted_once_it_ends_tidily_with_the_tables_so_far(tmp_path, surroundings, number):
    out = tmp_path / "out"
    process = start(out, surroundings, "tiny", "sleeps")
    wait_for((out / "logs" / "sleeps-default-small-logits-0.log").exists, process)
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("interrupted: ")
    assert stderr.count("\n") == 1
    assert "report.html has the pictures" in stdout
    assert pd.read_csv(out / "results.csv").set_index("implementation")["status"].to_dict() == {
        "tiny": "ok",
        "sleeps": "interrupted",
    }
    assert nothing_is_left(surroundings)


@pytest.mark.slow
def test_interrupted_twice_in_a_row_it_stops_at_once(tmp_path, surroundings):
    out = tmp_path / "out"
    process = start(out, surroundings, "tiny", "sleeps")
    wait_for((out / "logs" / "sleeps-default-small-logits-0.log").exists, process)
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.01)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.strip() == "interrupted"
    assert "report.html has the pictures" not in stdout
    assert "tiny-default-small-logits-0" in records_of(out)
    assert nothing_is_left(surroundings)


@pytest.mark.slow
def test_interrupted_twice_it_stops_at_once(tmp_path, surroundings):
    out = tmp_path / "out"
    process = start(out, surroundings, "tiny", "sleeps")
    wait_for((out / "logs" / "sleeps-default-small-logits-0.log").exists, process)
    os.kill(process.pid, signal.SIGINT)
    wait_for((out / "cells" / "sleeps-default-small-logits-0.json").exists, process)
    time.sleep(0.3)  # It makes the report now.
    os.kill(process.pid, signal.SIGINT)
    began = time.monotonic()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "report.html has the pictures" not in stdout
    assert time.monotonic() - began < 3
    assert records_of(out).keys() == {
        "tiny-default-small-logits-0",
        "sleeps-default-small-logits-0",
    }
    assert not list(out.rglob("*.unfinished"))
    assert nothing_is_left(surroundings)


def test_a_second_runner_is_told_who_holds_the_folder_until_that_is_killed(tmp_path, surroundings):
    out = tmp_path / "out"
    process = start(out, surroundings, "sleeps")
    wait_for((out / "logs" / "sleeps-default-small-logits-0.log").exists, process)
    second = bench("all", out, surroundings, "--impl", "tiny")
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"{out} is being written by process {process.pid} on " in second.stderr
    assert " since " in second.stderr
    with pytest.raises(UserError, match="is being written"), held(out):
        pass
    process.kill()
    process.communicate()
    with held(out):
        assert nothing_is_left(surroundings)
    report = run_module("bench", "report", out, env=surroundings)  # No cell has finished.
    assert report.returncode == 0, report.stderr


@pytest.mark.slow
def test_what_no_run_has_made_is_not_emptied(tmp_path, surroundings):
    mine, elsewhere = tmp_path / "mine" / "logs" / "notes.txt", tmp_path / "elsewhere" / "notes.txt"
    for path in (mine, elsewhere):
        path.parent.mkdir(parents=True)
        path.write_text("of value")
    refused = bench("all", mine.parent.parent, surroundings, "--impl", "tiny")
    assert refused.returncode == 2
    assert "would empty its logs" in refused.stderr
    assert refused.stderr.count("\n") == 1
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "environment.json").write_text("{}")
    (tmp_path / "linked" / "cells").symlink_to(elsewhere.parent)
    refused = bench("all", tmp_path / "linked", surroundings, "--impl", "tiny")
    assert refused.returncode == 2
    assert "its cells is a symbolic link" in refused.stderr
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / ".lock").symlink_to(elsewhere)
    assert bench("all", tmp_path / "locked", surroundings, "--impl", "tiny").returncode == 2
    assert mine.read_text() == elsewhere.read_text() == "of value"


@pytest.mark.slow
def test_clocks_that_go_backwards_decide_nothing(tmp_path, surroundings):
    out, arguments = tmp_path / "out", ("--impl", "tiny", "--cell-timeout", "1h")
    first = bench("all", out, surroundings, *arguments)
    assert first.returncode == 0, first.stderr
    before = records_of(out)
    for path in (*out.rglob("*"), tmp_path / "modules" / "tiny.py"):
        os.utime(path, (4e9, 4e9))  # This is in the year 2096.
    (out / "cells" / "tiny-default-small-logits-0.json").unlink()
    (tmp_path / "modules" / "sitecustomize.py").write_text(
        "import itertools\nimport time\n\ncount = itertools.count()\n"
        "time.time = lambda: 1.7e9 - 3600 * next(count)\n"
    )
    again = run_new_module("bench", "all", *SMALL, "--out", out, *arguments, env=surroundings)
    assert again.returncode == 0, again.stderr
    assert "kept 1 of 2 cells" in again.stdout
    after = records_of(out)
    assert after.keys() == before.keys()
    assert before["tiny-default-small-activated-0"] == after["tiny-default-small-activated-0"]


@contextlib.contextmanager
def small_disk(folder, options):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_power_cut_finds_the_file_of_before_or_the_new_one(tmp_path, monkeypatch):
    """Notes what is certainly on the disk at each moment: what has been synced."""
    path, synced, renamed = tmp_path / "cells" / "a.json", [], []
    write_text(path, "before")
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        fsync(descriptor)
        file = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((file, file.read_text() if file.is_file() else "names"))

    def noted_replace(scratch, to):
        assert (Path(scratch), "after") in synced, "the new content is not on the disk yet"
        assert path.read_text() == "before"
        replace(scratch, to)
        renamed.append(to)
        synced.clear()

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_text(path, "after")
    assert renamed == [path]
    assert synced == [(path.parent, "names")]
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_on_a_full_disk_what_was_there_stays(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "size=64k"):
        write_text(disk / "cells" / "a.json", "before")
        with pytest.raises(OSError, match="No space left") as error:
            write_text(disk / "cells" / "a.json", "after" * 2**16)
        assert error.value.filename == str(disk / "cells" / "a.json")
        assert [path.read_text() for path in (disk / "cells").iterdir()] == ["before"]


@pytest.mark.slow
def test_a_cell_that_cannot_write_its_files_says_so(tmp_path, surroundings):
    out = tmp_path / "disk"
    with small_disk(out, "size=48k"):
        process = bench(
            "run", out, surroundings, "--impl", "tiny", "--epochs", "60", "--outputs", "logits"
        )
        assert process.returncode == 2
        assert process.stderr.startswith("error: ")
        assert process.stderr.count("\n") == 1
        assert "No space left on device" in process.stderr
        record = read_cell(out, "tiny-default-small-logits-0")
        assert record.status == "failed"
        assert "No space left on device" in record.reason
    assert nothing_is_left(surroundings)


def test_a_read_only_folder_is_one_line_and_keeps_what_it_has(tmp_path, surroundings):
    out = tmp_path / "disk"
    with small_disk(out, "size=64k"):
        (out / "results.csv").write_text("before")
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        for verb in ("run", "all"):
            process = bench(verb, out, surroundings, "--impl", "tiny")
            assert process.returncode == 2
            assert process.stderr.count("\n") == 1
            assert "cannot be written" in process.stderr
        assert (out / "results.csv").read_text() == "before"
