"""Fixtures that tests share: their own cache, small datasets, records, and one quick run."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import json
import multiprocessing.util
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from tests.command_server import CommandServer

ROOT = Path(__file__).parent.parent

REAL = os.environ.get("RECORDS")
"""A folder of real WFDB records, or None.

The tests of damage and survival then work on copies of them, not on data made for the tests.
"""


LONGEST = (
    "test_traps",
    "test_survival",
    "test_benchmark",
    "test_diagnose",
    "test_parity",
    "test_cluster",
    "test_damage",
)
"""Files whose tests take minutes; they begin first, so that no process works alone at the end."""


def pytest_ignore_collect(collection_path, config):
    """Leaves out files without a fast test when only these are asked for: a file is not imported.

    The import alone of many of the others takes seconds, because they import TensorFlow.
    """
    if config.option.markexpr == "fast" and collection_path.match("test_*.py"):
        return "pytest.mark.fast" not in collection_path.read_text() or None
    return None


def pytest_collection_modifyitems(items):
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)
        )
    )


HEAVY = ("tensorflow", "playwright")
"""Packages that no fast test may need."""


def pytest_collection_finish(session):
    if session.config.option.markexpr == "fast":
        assert not {name for name in HEAVY if name in sys.modules}, "a file of fast tests is heavy"


@contextlib.contextmanager
def without_heavy_work(item):
    """Fails a test that is marked as fast but imports TensorFlow or starts a Python process."""
    if item.get_closest_marker("fast") is None:
        yield
        return
    before = {name for name in HEAVY if name in sys.modules}
    start = subprocess.Popen.__init__

    def checked_start(self, command, *arguments, **options):
        assert sys.executable not in command, f"a fast test starts {command}"
        start(self, command, *arguments, **options)

    def refused_start(*arguments):
        raise AssertionError("a fast test starts a process")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", checked_start)
        patch.setattr(multiprocessing.util, "spawnv_passfds", refused_start)
        yield
    imported = {name for name in HEAVY if name in sys.modules} - before
    assert not imported, f"a fast test imports {imported}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    with without_heavy_work(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with without_heavy_work(item):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Makes a cache for the tests: none reads or fills the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return folder


def slow_after(count: int, cases) -> list:
    """Returns cases for `parametrize`: tests of all but the first `count` are slow."""
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=[pytest.mark.slow] if place >= count else [],
        )
        for place, case in enumerate(cases)
    ]


def both_splits(source, spec) -> list:
    """Returns the training and evaluation samples of a dataset."""
    sizes = source.sizes(spec)
    return [source.draw(spec, split, 0, sizes[split]) for split in sizes]


MARK = {"STARTED_BY_TESTS": uuid.uuid4().hex}
"""What marks the commands of `command_server` in their environment, as /proc shows it.

Programs that a command starts have its own environment instead: put the mark into that, too.
"""


@functools.cache
def command_server() -> CommandServer:
    """Returns the server of this process of the tests. It starts when it is first needed."""
    server = CommandServer({**os.environ, **MARK})
    atexit.register(server.close)
    return server


def run_module(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs `python -m ARGUMENTS` in its own process, which is forked from `command_server`."""
    command = command_server().start(*arguments, **options)
    return subprocess.CompletedProcess(command.args, command.wait(), *command.communicate())


def run_new_module(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs `python -m ARGUMENTS` in a new Python, which imports all that it needs."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        **options,
    )


@contextlib.contextmanager
def open_references():
    """Yields a function that opens a reference port by its name, once.

    It then serves many comparisons: its process, imports and first calls are there already.
    """
    from bench.parity.remote_port import RemotePort
    from bench.process.forkserver import with_forkserver

    with with_forkserver(), contextlib.ExitStack() as ports:
        yield functools.cache(
            lambda name: ports.enter_context(RemotePort("reference", name, timeout=120))
        )


def run_once(tmp_path_factory, name: str, run) -> tuple[Path, subprocess.CompletedProcess]:
    """Returns (folder, process) of `run(folder)`.

    The first worker that needs it runs it, and the others wait for it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # Each worker has its own folder below the shared one.
        shared = shared.parent
    folder, ended = shared / name, shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ended.exists():
            process = run(folder)
            ended.write_text(
                json.dumps([process.args, process.returncode, process.stdout, process.stderr])
            )
    return folder, subprocess.CompletedProcess(*json.loads(ended.read_text()))


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory):
    """Returns (folder, process) of `python -m bench all --quick`. It takes minutes."""
    return run_once(
        tmp_path_factory,
        "quick",
        lambda folder: run_new_module("bench", "all", "--quick", "--out", folder),
    )


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Returns (folder, process) of a quick run of two APIs on the small dataset."""
    return run_once(
        tmp_path_factory,
        "small",
        lambda folder: run_module(
            *("bench", "all", "--quick", "--dataset", "small", "--out", folder),
            *("--impl", "lowlevel", "--impl", "keras"),
        ),
    )


@pytest.fixture(scope="session")
def tiny_dataset():
    """Makes the small dataset of a quick run: 320 samples for training and 100 for evaluation."""
    from bench.data.source import QUICK_DATASETS
    from bench.data.store import make_dataset
    from bench.data.synthetic import Synthetic

    return make_dataset(Synthetic(), QUICK_DATASETS["small"])


@pytest.fixture(scope="module")
def browser():
    """Starts Chromium without a window."""
    from playwright.sync_api import sync_playwright

    executable = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if executable is None:
        message = "no Chromium: apt install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def write_record(
    folder: Path, name: str, premature_share: float = 0.3, seconds: int = 400, frequency: int = 360
) -> None:
    """Writes a WFDB record with a beat each second, as PhysioNet does.

    It has 200 counts per mV, baseline 1024 and format 212.
    """
    import wfdb

    generator = np.random.default_rng(len(name) + int(premature_share * 100))
    beats = np.arange(frequency, seconds * frequency - frequency, frequency)
    premature = generator.random(len(beats)) < premature_share
    signal = generator.normal(0, 4, seconds * frequency)
    for beat, is_premature in zip(beats, premature):
        width = 12 if is_premature else 4
        signal[beat - 40 : beat + 40] += 240 * np.exp(-0.5 * (np.arange(-40, 40) / width) ** 2)
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        frequency,
        ["mV"],
        ["MLII"],
        d_signal=(signal.round().astype(int) + 1024)[:, None],
        fmt=["212"],
        adc_gain=[200.0],
        baseline=[1024],
        write_dir=str(folder),
    )
    wfdb.wrann(
        name, "atr", beats, symbol=list(np.where(premature, "V", "N")), write_dir=str(folder)
    )
