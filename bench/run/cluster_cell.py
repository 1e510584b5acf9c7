"""Runs one cell on a cluster of real processes on this machine. Whether it ends by itself or is
ended, there is a record."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path

from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.results.cells import CellRecord, cell_files, read_cell
from bench.results.files import RawFileError
from bench.run.cell_process import hear, recorded
from bench.run.cells import Cell
from bench.run.limits import Limiter, Limits, ProcessEnded
from bench.run.members import members_of, run_member
from bench.task import Dataset

GRACE_S = 30.0
"""Seconds that the others have to end by themselves after the chief has ended."""


def run_on_cluster(
    cell: Cell,
    dataset: Dataset,
    epochs: int,
    fingerprint: str,
    folder: Path,
    limits: Limits,
    on_epoch: Callable[[], None],
) -> CellRecord:
    """Runs a cell. Returns the record that the chief left, or one that says how the cell ended.

    As soon as one member fails, all are ended. See `bench.run.cell_process.recorded`.
    """

    def train(forked_s: float) -> ProcessEnded:
        receiver, sender = CONTEXT.Pipe(duplex=False)
        with (
            receiver,
            tempfile.TemporaryDirectory(prefix="bench-cluster-") as model_dir,
            contextlib.ExitStack() as stack,
        ):
            groups = {
                member.name: stack.enter_context(
                    Group(
                        run_member,
                        member,
                        cell,
                        dataset,
                        epochs,
                        fingerprint,
                        folder,
                        Path(model_dir),
                        forked_s,
                        sender,
                    )
                )
                for member in members_of(cell.workers, cell.parameter_servers)
            }
            sender.close()
            chief = groups.pop("chief")
            ended = hear(Limiter(chief, limits, groups), receiver, forked_s, on_epoch)
            if not ended.who and chief.has_ended:
                late = _late(groups) if _is_measured(folder, cell) else []
                if not late:  # counts if the chief has left no record
                    return ProcessEnded(ended.status, f"chief: {ended.reason}")
                ended = ProcessEnded(
                    "failed", f"did not end within {GRACE_S:g} s of the chief", ", ".join(late)
                )
        # The chief's own record only says what the failure did to the chief.
        (folder / cell_files(cell.name)[0]).unlink(missing_ok=True)
        return ProcessEnded(
            ended.status, f"{ended.who}: {ended.reason}" if ended.who else ended.reason
        )

    return recorded(cell, fingerprint, folder, train)


def _is_measured(folder: Path, cell: Cell) -> bool:
    with contextlib.suppress(FileNotFoundError, RawFileError):
        return read_cell(folder, cell.name).measured
    return False


def _late(groups: dict[str, Group]) -> list[str]:
    """Returns the names of those that have not ended in time after the chief."""
    deadline = time.monotonic() + GRACE_S
    running = {name: group.sentinel for name, group in groups.items()}
    while running and time.monotonic() < deadline:
        ended = wait(list(running.values()), deadline - time.monotonic())
        running = {name: sentinel for name, sentinel in running.items() if sentinel not in ended}
    return list(running)
