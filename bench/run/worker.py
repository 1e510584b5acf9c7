"""The process of a cell: trains, and writes the raw files."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from bench.implementations import CLUSTER, load_train
from bench.measure.checkpoints import checkpoint_bytes, timed_checkpoints
from bench.measure.code import api_names, count_code_lines, count_statements, modules_of
from bench.measure.recorder import Recorder
from bench.process.reason import one_line
from bench.results.cells import CellRecord, write_cell
from bench.results.outputs import outputs_table, write_outputs
from bench.results.steps import write_steps
from bench.run.cells import Cell
from bench.task import Dataset, Observer, Task, Trained


def run_cell(
    cell: Cell,
    dataset: Dataset,
    epochs: int,
    fingerprint: str,
    folder: Path,
    forked_s: float,
    progress: Connection,
    model_dir: Path | None = None,
) -> None:
    """Runs a cell, writes its files under `folder`, and sends None after every epoch. Checkpoints
    go to `model_dir`, or by default to a temporary folder."""
    record, failure = new_record(cell, forked_s), None
    try:
        redirect_output(folder / record.log)
        with tempfile.TemporaryDirectory(prefix="bench-cell-") as scratch:
            task = task_of(cell, dataset, epochs, model_dir or Path(scratch))
            record.fingerprint, record.data, record.epochs = fingerprint, dataset.digest, epochs
            record.status, record.reason = _measure(cell, task, record, folder, progress)
    except (Exception, SystemExit) as error:
        failure = error
        record.status, record.reason = status_of(error), one_line(error)
        with contextlib.suppress(OSError):  # a full disk: the record has the reason
            traceback.print_exc()
    record.ended_s = time.monotonic()
    write_cell(folder, record)
    if failure and cell.workers:
        # At once: freeing sessions and iterators would wait for members that have died.
        os._exit(0)


def task_of(cell: Cell, dataset: Dataset, epochs: int, model_dir: Path) -> Task:
    """Returns the task of a cell."""
    return Task(dataset, cell.outputs, cell.seed, epochs, model_dir, batch_size=cell.batch_size)


def new_record(cell: Cell, forked_s: float) -> CellRecord:
    """Returns the record of a cell that has not been measured yet."""
    return CellRecord(
        cell.name,
        cell.implementation,
        cell.profile,
        cell.dataset,
        cell.outputs,
        cell.seed,
        log=f"logs/{cell.name}.log",
        workers=cell.workers or 1,
        parameter_servers=cell.parameter_servers,
        forked_s=forked_s,
    )


KINDS = {
    "MemoryError": "out_of_memory",
    "ResourceExhaustedError": "out_of_memory",
    "NanLossDuringTrainingError": "diverged",
}
"""Exceptions of Python and TensorFlow, by name, that have their own status."""


class Unavailable(Exception):
    """A module that an implementation needs is not installed."""


def load(module: str, profile: str) -> Callable[[Task, Observer], Trained]:
    """Loads as `bench.implementations.load_train`.

    Raises:
        Unavailable: A module that it imports is not installed.
    """
    try:
        return load_train(module, profile)
    except ModuleNotFoundError as error:
        raise Unavailable(f"{error.name or error} is not installed") from error


def status_of(error: BaseException) -> str:
    """Returns one of `bench.results.cells.STATUSES` for the exception that ended a training."""
    if isinstance(error, Unavailable):
        return "unavailable"
    return next(
        (KINDS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in KINDS), "failed"
    )


def death(exitcode: int | None) -> str:
    """Returns, in words, how a process died."""
    if exitcode is not None and exitcode < 0:
        return f"its process was killed by {signal.Signals(-exitcode).name}"
    return f"its process ended with exit code {exitcode} before it had written its results"


def redirect_output(log: Path) -> None:
    """Sends standard output and error of this process, and of its libraries, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(
        os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb"
    ) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _measure(
    cell: Cell, task: Task, record: CellRecord, folder: Path, progress: Connection
) -> tuple[str, str]:
    """Trains, and writes all files but the record. Returns status and reason."""
    recorder = Recorder(task, on_epoch=lambda: progress.send(None))
    profile = CLUSTER if cell.workers else cell.profile
    train = load(cell.module, profile)
    record.trained_s = time.monotonic()
    with timed_checkpoints(record.checkpoints):
        trained = train(task, recorder)
    _check_contract(task, recorder, trained)
    record.began_s = recorder.steps[0]["began_s"]
    record.checkpoint_bytes = checkpoint_bytes(task.model_dir)
    record.peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record.length = task.dataset.length
    record.batch_size = task.batch_size
    record.parameters = trained.parameters
    modules = modules_of(importlib.import_module(cell.module), profile)
    record.code_lines, record.statements = count_code_lines(modules), count_statements(modules)
    record.api_names = len(api_names(modules))
    write_steps(folder, cell.name, recorder.steps)
    write_outputs(
        folder,
        cell.name,
        [
            *(
                outputs_table("probe", epoch, task.dataset.probe.labels, probe.outputs)
                for epoch, probe in enumerate(recorder.probes, start=1)
            ),
            outputs_table(
                "evaluation", task.epochs, task.dataset.evaluation_labels, trained.outputs
            ),
        ],
    )
    record.evaluations = recorder.evaluations  # last: they say that the files are whole
    return _judge(recorder)


def _check_contract(task: Task, recorder: Recorder, trained: Trained) -> None:
    """Checks that the implementation kept the contract in `bench.task`."""
    if not isinstance(trained, Trained):
        raise TypeError(f"its train returned {type(trained).__name__}, not bench.task.Trained")
    if not recorder.steps or recorder.steps[0]["began_s"] is None:
        raise ValueError(
            "its train reported no step: does it call observer.begin and observer.step?"
        )
    if len(recorder.evaluations) != task.epochs:
        raise ValueError(
            f"its train reported {len(recorder.evaluations)} evaluations in {task.epochs} epochs"
        )


def _judge(recorder: Recorder) -> tuple[str, str]:
    """Returns status and reason: a training with a loss that is not finite has diverged."""
    for step in recorder.steps:
        if not math.isfinite(step["loss"]):
            return "diverged", f"the loss of step {step['global_step']} is {step['loss']}"
    for evaluation in recorder.evaluations:
        if not math.isfinite(evaluation["loss"]):
            return (
                "diverged",
                f"the loss of the evaluation after epoch {evaluation['epoch']} is "
                f"{evaluation['loss']}",
            )
    return "ok", ""
