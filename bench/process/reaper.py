"""A small process that cleans up after a runner, even after one that was killed.

The reaper has a session of its own, which Ctrl-C does not reach. It reads lines from the runner:
`watch LEADER SCRATCH` and `forget LEADER`. The lines end when the runner ends, for whatever reason,
`kill -9` included. The reaper then ends all sessions that it still watches, removes the folder of
temporary files, and ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from bench.process.sessions import ATTEMPTS, PAUSE_S, end_session
from bench.task import UserError


class Reaper:
    """The runner's side of the reaper.

    Raises:
        UserError: the reaper does not start, since no temporary files can be written.
    """

    def __init__(self) -> None:
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from bench.process.reaper import run_reaper; run_reaper()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        folder = process.stdout.readline().decode().strip()
        if not folder:
            raise UserError(
                f"{tempfile.gettempdir()}: temporary files cannot be written there; "
                "is the disk full?"
            )
        self._process, self._lines = process, process.stdin
        self.scratch = Path(folder)
        """Folder for the temporary files of this run."""

    def watch(self, leader: int, scratch: str) -> None:
        """Makes a session (see `bench.process.sessions`) end with the runner from now on."""
        self._tell(f"watch {leader} {scratch}")

    def forget(self, leader: int) -> None:
        """Stops watching a session, which has ended."""
        self._tell(f"forget {leader}")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # somebody killed the reaper: the run goes on
            self._lines.write(f"{line}\n".encode())


_reaper: Reaper | None = None
_STARTING = Lock()


def reaper() -> Reaper:
    """Returns the reaper of this process, and starts it at the first call.

    From then on, the temporary files of this process go to the reaper's folder.
    """
    global _reaper
    with _STARTING:  # comparisons run in threads
        if _reaper is None:
            _reaper = Reaper()
            tempfile.tempdir = str(_reaper.scratch)
    return _reaper


@contextlib.contextmanager
def ended_with_runner(leader: int, scratch: str) -> Iterator[None]:
    """Ends a session at the end of the block, however the block or this process ends.

    Args:
        leader: the process that leads the session.
        scratch: the session's folder of temporary files.
    """
    reaper().watch(leader, scratch)
    try:
        yield
    finally:
        end_session(leader, scratch)
        reaper().forget(leader)


def run_reaper() -> None:
    """Runs in the reaper's process: watches sessions until the runner has ended, and cleans up."""
    scratch = tempfile.mkdtemp(prefix="bench-run-")
    sessions = {}
    with contextlib.suppress(BrokenPipeError):  # the runner was killed before it could listen
        print(scratch, flush=True)
        for line in sys.stdin:
            word, leader, *folder = line.rstrip("\n").split(" ", 2)
            if word == "watch":
                sessions[leader] = folder[0]
            else:
                sessions.pop(leader, None)
    for leader, folder in sessions.items():
        end_session(int(leader), folder)
    for _ in range(ATTEMPTS):  # a process that is about to end may still write there
        shutil.rmtree(scratch, ignore_errors=True)
        if not os.path.exists(scratch):
            break
        time.sleep(PAUSE_S)
