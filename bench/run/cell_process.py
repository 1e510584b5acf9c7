"""One cell in a process of its own, until it ends by itself or is ended, and always with a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import raw
from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.run.cells import Cell
from bench.run.limits import Ended, Limits, Watch
from bench.run.worker import new_record, run_cell
from bench.task import Dataset


def run_in_process(cell: Cell, dataset: Dataset, epochs: int, recipe: str, folder: Path, limits: Limits,
                   on_epoch: Callable[[], None]) -> raw.CellRecord:
    """The record that the cell's process left, or one that says how it ended.

    Raises:
        KeyboardInterrupt: Ctrl-C; the record is there all the same.
        OSError: a record cannot be written.
    """
    for name in raw.cell_files(cell.name):
        (folder / name).unlink(missing_ok=True)
    receiver, sender = CONTEXT.Pipe(duplex=False)
    forked_s = time.monotonic()
    ended, interrupt = None, None
    try:
        with receiver, Group(run_cell, cell, dataset, epochs, recipe, folder, forked_s, sender) as group:
            sender.close()
            watch = Watch(group, limits)
            while True:
                watch.hear(receiver, forked_s)
                on_epoch()
    except Ended as error:
        ended = error
    except KeyboardInterrupt as error:  # while the process is started, too
        ended, interrupt = Ended("interrupted", "Ctrl-C"), error
    try:
        record = raw.read_cell(folder, cell.name)
    except (FileNotFoundError, raw.RawFileError):
        record = write_ended(cell, ended, recipe, folder, forked_s)
    if interrupt is not None:
        raise interrupt
    return record


def write_ended(cell: Cell, ended: Ended, recipe: str, folder: Path, forked_s: float) -> raw.CellRecord:
    """The record of a cell that left none."""
    record = new_record(cell, forked_s)
    record.status, record.reason, record.recipe, record.ended_s = ended.status, ended.reason, recipe, time.monotonic()
    raw.write_cell(folder, record)
    return record
