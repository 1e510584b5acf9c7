"""How long a cell may take and how much memory, and what ends one that takes more."""

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
"""Between two looks at the memory of a process; one takes 0.3 ms."""

SHARE = 0.9
"""Of the machine's memory that a cell may take, unless it is told otherwise."""


@dataclass(frozen=True)
class Limits:
    """Of one cell with all processes it starts, or of one wait for a training that takes turns: seconds, and bytes of resident
    memory."""

    seconds: float = 3600.0
    memory: float = field(default_factory=lambda: SHARE * psutil.virtual_memory().total)

    @classmethod
    def of(cls, seconds: float, memory: float | None) -> Limits:
        """With the usual limit of memory where none is given."""
        return cls(seconds, memory) if memory else cls(seconds)


class ProcessEnded(Exception):
    """A process will say no more: `status` is one of `bench.results.cells.STATUSES`, `reason` says why in a line, and `who` is the
    name of another that trained with it, if that one is why."""

    def __init__(self, status: str, reason: str, who: str = ""):
        super().__init__(status, reason, who)
        self.status, self.reason, self.who = status, reason, who


class Limiter:
    """Hears what a process has to say, while it keeps within its limits; `others`, by name, train with it, and must not fail."""

    def __init__(self, group: Group, limits: Limits, others: dict[str, Group] | None = None):
        self._group, self._limits, self._others = group, limits, dict(others or {})
        self._oom_kills = oom_kills()
        self._looked_s = time.monotonic()

    def hear(
        self, connection: Connection, since_s: float, on_look: Callable[[], None] = lambda: None
    ):
        """The next that it sends; the limit of time counts from `since_s`, and `on_look` is called whenever its memory is looked at.

        Raises:
            ProcessEnded: it has ended, or is beyond a limit; what is left of it is for the caller to end.
        """
        sources = [connection, self._group.sentinel]
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
                self._leave(ready)  # first: what ends another ends the process, too
                if self._group.sentinel in ready:
                    raise self._death(self._group)
            self._look(since_s, on_look)

    def _leave(self, ready: list) -> None:
        """Others have ended."""
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
        """Looks at its memory.

        Raises:
            ProcessEnded: it takes too much.
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
    """How many processes the system has killed for want of memory; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
