"""A cell's own process: trains, and leaves the raw files."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import tempfile
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from bench.implementations import load_train
from bench.measure import raw
from bench.measure.checkpoints import checkpoint_bytes, timed_checkpoints
from bench.measure.code import api_names, count_code_lines, count_statements, modules_of
from bench.measure.recorder import Recorder
from bench.run.cells import Cell
from bench.task import Dataset, Task


def run_cell(cell: Cell, dataset: Dataset, epochs: int, folder: Path, forked_s: float, progress: Connection) -> None:
    """Runs a cell and writes its files under `folder`; sends None after every epoch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to handle
    record = new_record(cell, forked_s)
    redirect_output(folder / record.log)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-cell-") as model_dir:
            task = Task(dataset, cell.loss, cell.seed, epochs, Path(model_dir))
            record.data, record.epochs = dataset.digest, epochs
            _measure(cell, task, record, folder, progress)
        record.status = "ok"
    except Exception as error:
        traceback.print_exc()
        record.reason = one_line(error)
    record.ended_s = time.monotonic()
    raw.write_cell(folder, record)


def new_record(cell: Cell, forked_s: float) -> raw.CellRecord:
    """A record of a cell of which nothing is known yet."""
    return raw.CellRecord(
        cell.name, cell.implementation, cell.profile, cell.dataset, cell.loss, cell.seed,
        log=f"logs/{cell.name}.log", forked_s=forked_s)


def one_line(error: BaseException) -> str:
    """An exception as a reason in a table."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def death(exitcode: int | None) -> str:
    """How a process died, as a reason in a table."""
    if exitcode is not None and exitcode < 0:
        return f"its process was killed by {signal.Signals(-exitcode).name}"
    return f"its process ended with exit code {exitcode} before it had written its results"


def redirect_output(log: Path) -> None:
    """Standard output and error of this process, of its libraries too, go to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _measure(cell: Cell, task: Task, record: raw.CellRecord, folder: Path, progress: Connection) -> None:
    recorder = Recorder(task, on_epoch=lambda: progress.send(None))
    train = load_train(cell.module, cell.profile)
    record.trained_s = time.monotonic()
    with timed_checkpoints(record.checkpoints):
        trained = train(task, recorder)
    record.began_s = recorder.steps[0]["began_s"]
    record.checkpoint_bytes = checkpoint_bytes(task.model_dir)
    record.peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record.length = task.dataset.length
    record.batch_size = task.batch_size
    record.parameters = trained.parameters
    modules = modules_of(importlib.import_module(cell.module), cell.profile)
    record.code_lines, record.statements = count_code_lines(modules), count_statements(modules)
    record.api_names = len(api_names(modules))
    record.evaluations = recorder.evaluations
    raw.write_steps(folder, cell.name, recorder.steps)
    raw.write_outputs(folder, cell.name, [
        *(raw.outputs_table("probe", epoch, task.dataset.probe.labels, probe.outputs)
          for epoch, probe in enumerate(recorder.probes, start=1)),
        raw.outputs_table("evaluation", task.epochs, task.dataset.evaluation_labels, trained.outputs),
    ])
