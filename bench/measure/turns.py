"""Trainings that take turns: each goes on for a moment while all others stand still, so that what the machine does to one
it does to all.

A training knows nothing of it. Its observer does not return from a call before the next turn, and raises `Enough` after the
last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from bench.measure.doors import Doors
from bench.measure.recorder import samples_of
from bench.measure.trace import ProfilerTracer, read_trace
from bench.task import Evaluation, Probe, Task

WARM_UP_S = 0.6
WARM_UP_CALLS = 3
TRACED_CALLS = 10
TRACED_S = 0.15
"""A traced turn ends with the first of the two: traces grow by 100 events a step."""


class Enough(BaseException):
    """Ends a training whose turns are over. No implementation's `except Exception` stops it."""


@dataclass(frozen=True)
class Turn:
    """What to do next: `mode` is `steady` (every call is a row), `off` (two clock readings around all calls, for what
    recording costs), `clocks` (with clocks at the API's doors) or `traced` (under the profiler). It lasts `seconds`, at
    least one call; `calls` of them in the mode `off`."""

    mode: str
    seconds: float
    calls: int = 0


@dataclass
class Taken:
    """What a turn gave: a row a call, without its first; of a traced turn the profiler's trace, and the kernels in it
    (see `bench.measure.trace.read_trace`)."""

    rows: list[dict] = field(default_factory=list)
    kernels: list[dict] = field(default_factory=list)
    trace: bytes | None = None


class TurnTaker:
    """An `Observer` that takes turns, as the other end of `connection` says: it sends a `Turn` or None, and receives a
    `Taken` for every turn, the first of them, without rows, when the training is warm."""

    def __init__(self, task: Task, connection: Connection, resident: bool, clock: Callable[[], float] = time.monotonic):
        self._task, self._connection, self._resident, self._clock = task, connection, resident, clock
        self._done = 0
        self._calls = 0
        self._turn: Turn | None = None
        self._taken = Taken()
        self._doors: Doors | None = None

    def begin(self) -> None:
        self._mark = self._began = self._clock()

    def step(self, loss: float, steps: int = 1) -> None:
        self._calls += 1
        if self._turn is not None and self._turn.mode == "off":
            self._done += steps
            if self._calls == self._turn.calls + 1:
                steps = self._done - self._first_done
                self._finish([{"steps": steps, "samples": self._samples(self._first_done, steps),
                               "began_s": self._mark, "ended_s": self._clock()}] if self._mark is not None else [])
                self._mark = self._clock()
            elif self._calls == 1:
                self._first_done = self._done
                self._mark = self._clock()
            return
        ended = self._clock()
        if self._turn is None:
            if ended - self._began >= WARM_UP_S and self._calls >= WARM_UP_CALLS:
                self._finish([])
        else:
            self._record(steps, ended)
        self._done += steps
        self._mark = self._clock()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        """Evaluations lie outside of every call; the call after one is not counted, nor is a turn without recording."""
        self._mark = None

    def _record(self, steps: int, ended: float) -> None:
        turn, rows = self._turn, self._taken.rows
        if self._calls == 1:
            self._began = ended
            self._enter(turn.mode)
            return
        if self._mark is not None:
            rows.append({"steps": steps, "samples": self._samples(self._done, steps), "began_s": self._mark,
                         "ended_s": ended, **(self._doors.take() if self._doors else {})})
        if turn.mode == "traced":
            if len(rows) >= TRACED_CALLS or rows and ended - self._began >= TRACED_S:
                self._tracer.stop()
                self._taken.trace = self._tracer.trace
                calls, self._taken.kernels = read_trace(self._tracer.trace)
                self._finish([{**row, **call} for row, call in zip(rows, calls)])
            else:
                self._tracer.next_step()
        elif rows and ended - self._began >= turn.seconds:
            self._finish(rows)

    def _enter(self, mode: str) -> None:
        """The instruments of a mode, ready before its first counted call."""
        if mode == "clocks":
            self._doors = Doors()
            self._doors.open()
        elif mode == "traced":
            self._tracer = ProfilerTracer()
            self._tracer.start()

    def _finish(self, rows: list[dict]) -> None:
        """Hands over what was measured, and waits for the next turn."""
        if self._doors is not None:
            self._doors.close()
            self._doors = None
        self._taken.rows = rows
        self._connection.send(self._taken)
        self._turn = self._connection.recv()
        if self._turn is None:
            raise Enough
        self._taken = Taken()
        self._calls = 0

    def _samples(self, done: int, steps: int) -> int:
        return steps * self._task.batch_size if self._resident else samples_of(self._task, done, steps)
