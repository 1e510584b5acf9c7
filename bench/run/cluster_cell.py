"""One cell on a cluster of real processes on this machine, until it ends by itself or is ended, and always with a record."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bench.measure import raw
from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.run.cell_process import write_ended
from bench.run.cells import Cell
from bench.run.limits import Ended, Limits, Watch
from bench.run.members import members_of, run_member
from bench.task import Dataset

GRACE_S = 30.0
"""For the others to end by themselves once the chief has."""


def run_on_cluster(cell: Cell, dataset: Dataset, epochs: int, recipe: str, folder: Path, limits: Limits,
                   on_epoch: Callable[[], None]) -> raw.CellRecord:
    """The record that the chief left, or one that says how the cell ended: as soon as one member fails, all are ended.

    Raises:
        KeyboardInterrupt: Ctrl-C; the record is there all the same.
        OSError: a record cannot be written.
    """
    for name in raw.cell_files(cell.name):
        (folder / name).unlink(missing_ok=True)
    forked_s, interrupt = time.monotonic(), None
    receiver, sender = CONTEXT.Pipe(duplex=False)
    with receiver, tempfile.TemporaryDirectory(prefix="bench-cluster-") as model_dir, contextlib.ExitStack() as stack:
        groups = {member.name: stack.enter_context(
            Group(run_member, member, cell, dataset, epochs, recipe, folder, Path(model_dir), forked_s, sender))
            for member in members_of(cell.workers, cell.parameter_servers)}
        sender.close()
        chief = groups.pop("chief")
        try:
            ended = _hear(Watch(chief, limits, groups), receiver, forked_s, on_epoch)
            record = _record_of(chief, folder, cell)
            if record is not None:
                ended = _stragglers(groups) if record.measured else None
        except KeyboardInterrupt as error:
            ended, record, interrupt = Ended("interrupted", "Ctrl-C"), None, error
    if ended is not None:
        record = write_ended(cell, ended, recipe, folder, forked_s)
    if interrupt is not None:
        raise interrupt
    return record


def _hear(watch: Watch, receiver: Connection, since_s: float, on_epoch: Callable[[], None]) -> Ended:
    """How it ended: the chief did, one of the others failed, or a limit was passed."""
    try:
        while True:
            complaint = watch.hear(receiver, since_s)
            if complaint is not None:
                return Ended("failed", ": ".join(complaint))
            on_epoch()
    except Ended as error:
        return Ended(error.status, f"chief: {error.reason}") if watch.has_ended else error


def _record_of(chief: Group, folder: Path, cell: Cell) -> raw.CellRecord | None:
    """What a chief that has ended by itself left."""
    if not chief.has_ended:
        return None
    with contextlib.suppress(FileNotFoundError, raw.RawFileError):
        return raw.read_cell(folder, cell.name)
    return None


def _stragglers(groups: dict[str, Group]) -> Ended | None:
    """Who has not ended in time after the chief, if anybody."""
    deadline = time.monotonic() + GRACE_S
    running = {group.sentinel: name for name, group in groups.items()}
    while running and time.monotonic() < deadline:
        for sentinel in wait(list(running), deadline - time.monotonic()):
            del running[sentinel]
    return Ended("failed", f"{', '.join(running.values())} did not end within {GRACE_S:g} s of the chief") if running else None
