"""A small process that outlives a killed runner by a moment, to end the processes and remove the files that it left.

It has a session of its own, which Ctrl-C does not reach, and reads lines: `watch LEADER SCRATCH` and `forget LEADER`. When
they end, the runner has, be it by kill -9: the sessions still ended_with_runner are ended, and the folder for temporary files goes.
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
    """The runner's side.

    Raises:
        UserError: it does not start: the folder of temporary files cannot be written.
    """

    def __init__(self):
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path[:] = {sys.path!r}; from bench.process.reaper import run_reaper; run_reaper()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        told = self._process.stdout.readline().decode().strip()
        if not told:
            raise UserError(
                f"{tempfile.gettempdir()}: temporary files cannot be written there; is the disk full?"
            )
        self.scratch = Path(told)
        """For temporary files of this run."""

    def watch(self, leader: int, scratch: str) -> None:
        """From now on this session (see `bench.process.sessions`) ends with the runner."""
        self._tell(f"watch {leader} {scratch}")

    def forget(self, leader: int) -> None:
        """It has ended."""
        self._tell(f"forget {leader}")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # somebody killed it: the run goes on without
            self._process.stdin.write(f"{line}\n".encode())


_reaper: Reaper | None = None
_STARTING = Lock()


def reaper() -> Reaper:
    """That of this process, started when it is first asked for; from then on this process's temporary files go to its folder."""
    global _reaper
    with _STARTING:  # comparisons run in threads
        if _reaper is None:
            _reaper = Reaper()
            tempfile.tempdir = str(_reaper.scratch)
    return _reaper


@contextlib.contextmanager
def ended_with_runner(leader: int, scratch: str) -> Iterator[None]:
    """A process that leads a session of its own ends with this block, whatever ends that, with all that it started."""
    reaper().watch(leader, scratch)
    try:
        yield
    finally:
        end_session(leader, scratch)
        reaper().forget(leader)


def run_reaper() -> None:
    """The reaper's own process."""
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
