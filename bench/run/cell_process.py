"""Runs one cell in its own process. Whether it ends by itself or is ended, there is a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.results.cells import CellRecord, cell_files, read_cell, write_cell
from bench.results.files import RawFileError
from bench.run.cells import Cell
from bench.run.limits import Limiter, Limits, ProcessEnded
from bench.run.worker import new_record, run_cell
from bench.task import Dataset


def run_in_process(
    cell: Cell,
    dataset: Dataset,
    epochs: int,
    fingerprint: str,
    folder: Path,
    limits: Limits,
    on_epoch: Callable[[], None],
) -> CellRecord:
    """Runs a cell. Returns the record that its process left, or one that says how it ended."""

    def train(forked_s: float) -> ProcessEnded:
        receiver, sender = CONTEXT.Pipe(duplex=False)
        with (
            receiver,
            Group(run_cell, cell, dataset, epochs, fingerprint, folder, forked_s, sender) as group,
        ):
            sender.close()
            return hear(Limiter(group, limits), receiver, forked_s, on_epoch)

    return recorded(cell, fingerprint, folder, train)


def recorded(
    cell: Cell, fingerprint: str, folder: Path, train: Callable[[float], ProcessEnded]
) -> CellRecord:
    """Calls `train` with the time of its start, and returns the record that it left. If it left
    none, writes one that says how it ended.

    Raises:
        KeyboardInterrupt: Ctrl-C, at any moment after the start of the processes. The record is
        there all the same.
        OSError: A record cannot be written.
    """
    for name in cell_files(cell.name):
        (folder / name).unlink(missing_ok=True)
    forked_s, interrupt = time.monotonic(), None
    try:
        ended = train(forked_s)
    except KeyboardInterrupt as error:
        ended, interrupt = ProcessEnded("interrupted", "Ctrl-C"), error
    try:
        record = read_cell(folder, cell.name)
    except (FileNotFoundError, RawFileError) as error:
        if ended.status == "failed" and isinstance(error, RawFileError):
            ended = ProcessEnded("failed", str(error))
        record = new_record(cell, forked_s)
        record.status, record.reason, record.fingerprint, record.ended_s = (
            ended.status,
            ended.reason,
            fingerprint,
            time.monotonic(),
        )
        write_cell(folder, record)
    if interrupt is not None:
        raise interrupt
    return record


def hear(
    watch: Limiter, receiver: Connection, since_s: float, on_epoch: Callable[[], None]
) -> ProcessEnded:
    """Waits until a process has ended, and returns how: by itself, beyond a limit, or because
    another process that trained with it failed or complained."""
    try:
        while True:
            complaint = watch.hear(receiver, since_s)
            if complaint is not None:
                who, reason = complaint
                return ProcessEnded("failed", reason, who)
            on_epoch()
    except ProcessEnded as error:
        return error
