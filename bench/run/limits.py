"""Limits of time and memory for a cell, and the watch that ends one that takes more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

import psutil

from bench.process.group import Group
from bench.run.worker import death

INTERVAL_S = 0.25
"""Seconds between two looks at the memory of a process. One look takes 0.3 ms."""

SHARE = 0.9
"""Share of the machine's memory that a cell may take by default."""


@dataclass(frozen=True)
class Limits:
    """Limits in seconds, and in bytes of resident memory. They are for one cell with all processes
    that it starts, or for one wait for a training that takes turns."""

    seconds: float = 3600.0
    memory: float = field(default_factory=lambda: SHARE * psutil.virtual_memory().total)

    @classmethod
    def of(cls, seconds: float, memory: float | None) -> Limits:
        """Returns limits with the usual limit of memory if none is given."""
        return cls(seconds, memory) if memory else cls(seconds)


class ProcessEnded(Exception):
    """Says that a process has ended or must end.

    `status` is one of `bench.results.cells.STATUSES`. `reason` says why in one line. `who` names
    another process that trained with it, if that one is the cause.
    """

    def __init__(self, status: str, reason: str, who: str = ""):
        super().__init__(status, reason, who)
        self.status, self.reason, self.who = status, reason, who


class Limiter:
    """Receives the messages of a process while it keeps within its limits. `others`, by name, train
    with it and must not fail."""

    def __init__(self, group: Group, limits: Limits, others: dict[str, Group] | None = None):
        self._group, self._limits, self._others = group, limits, dict(others or {})
        self._oom_kills = oom_kills()
        self._looked_s = time.monotonic()

    def hear(
        self, connection: Connection, since_s: float, on_look: Callable[[], None] = lambda: None
    ):
        """Returns the next message. The limit of time counts from `since_s`. `on_look` is called at
        every look at the memory.

        Raises:
            ProcessEnded: The process has ended, or is beyond a limit. The caller must end what is
            left of it.
        """
        sources: list[Connection | int] = [connection, self._group.sentinel]
        while True:
            ready = wait(
                [*sources, *(other.sentinel for other in self._others.values())], INTERVAL_S
            )
            if connection in ready:
                try:
                    message = connection.recv()
                except (EOFError, ConnectionResetError):
                    sources = [self._group.sentinel]
                else:
                    self._look(since_s, on_look)
                    return message
            else:
                self._leave(ready)  # first: the end of another also ends the process
                if self._group.sentinel in ready:
                    raise self._death(self._group)
            self._look(since_s, on_look)

    def _leave(self, ready: list) -> None:
        """Forgets the others that have ended; raises ProcessEnded if one failed."""
        for name, other in list(self._others.items()):
            if other.sentinel in ready:
                del self._others[name]
                if other.exitcode:
                    ended = self._death(other)
                    raise ProcessEnded(ended.status, ended.reason, name)

    def _look(self, since_s: float, on_look: Callable[[], None]) -> None:
        now = time.monotonic()
        if now - since_s > self._limits.seconds:
            raise ProcessEnded(
                "timeout",
                f"it took longer than {self._limits.seconds:g} s: give it more with --cell-timeout",
            )
        if now - self._looked_s < INTERVAL_S:
            return
        self._looked_s = now
        on_look()
        self.weigh()

    def weigh(self) -> None:
        """Looks at the memory of the process.

        Raises:
            ProcessEnded: It takes too much.
        """
        memory = sum(group.memory for group in [self._group, *self._others.values()])
        if memory > self._limits.memory:
            raise ProcessEnded(
                "out_of_memory",
                f"it took {memory / 2**20:,.0f} MiB of memory, more than "
                f"{self._limits.memory / 2**20:,.0f} MiB: give it more with --cell-memory",
            )

    def _death(self, group: Group) -> ProcessEnded:
        exitcode = group.exitcode
        if exitcode == -9 and oom_kills() > self._oom_kills:
            return ProcessEnded(
                "out_of_memory",
                "the system killed its process, for the machine's memory had run out",
            )
        return ProcessEnded("failed", death(exitcode))


def oom_kills() -> int:
    """Returns how many processes the system has killed because memory ran out; 0 if it does not
    say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
