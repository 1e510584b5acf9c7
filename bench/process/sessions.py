"""Sessions of processes: a leader and all that it started, measured and ended together."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

ATTEMPTS = 500
PAUSE_S = 0.01


def memory_of(leader: int) -> int:
    """Returns the resident memory in bytes of all processes of a session.

    Memory that processes share counts once for each of them.
    """
    total = 0
    for process in _members(leader):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def end_session(leader: int, scratch: str) -> None:
    """Kills the processes of a session until none is left.

    Processes that left the session are killed, too, if they descend from a member, or if the
    folder `scratch` is their TMPDIR. A daemon is out of reach if it was forked without starting a
    program and its parents have died.
    """
    for _ in range(ATTEMPTS):
        running = [process for process in [*_members(leader), *_marked(scratch)] if _runs(process)]
        for process in running:
            kill_tree(process)
        if not running:
            return
        time.sleep(PAUSE_S)


def kill_tree(process: psutil.Process) -> None:
    """Kills a process and its descendants."""
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                one.kill()


def _members(leader: int) -> list[psutil.Process]:
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == leader:
                members.append(psutil.Process(pid))
    return members


def _marked(scratch: str) -> list[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if process.environ().get("TMPDIR") == scratch:
                marked.append(process)
    return marked


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False
