"""Trainings that take turns: each goes on for a moment while all others stand still, so that what the machine does to one
it does to all.

A training knows nothing of it. Its observer does not return from a call before the next turn, and raises `TurnsDone` after the
last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.measure.api_timers import ApiTimers
from bench.measure.recorder import samples_of
from bench.measure.trace import ProfilerTracer, read_trace
from bench.task import Evaluation, Probe, Task

WARM_UP_S = 0.3
WARM_UP_CALLS = 3
SETTLE_S = 0.1
"""What a training does first after standing still does not count: caches, threads and a virtual machine's second core have to
wake up. On small calls got faster by a third over the first 0.1 s, on large by a tenth over the first three."""

TRACED_STEPS = 10
"""A traced turn ends with the call that reaches them: a trace grows by 150 events a step."""

BLOCK_CALLS = 5
"""With and without recording alternate by so many calls; every other turn begins with the other."""


class TurnsDone(BaseException):
    """Ends a training whose turns are over. No implementation's `except Exception` stops it."""


@dataclass(frozen=True)
class Turn:
    """What to do next: `mode` is `steady` (every call is a row), `blocks` (a row a block of calls, in every second block
    nothing is recorded), `clocks` (every second call with clocks at the API's timers) or `traced` (under the profiler). It
    lasts `seconds` after `settle_s`, and has at least one row, or two."""

    mode: str
    seconds: float
    settle_s: float = SETTLE_S

    @property
    def fewest(self) -> int:
        """Rows: a call with clocks has one without beside it."""
        return 2 if self.mode == "clocks" else 1


@dataclass
class TurnRecord:
    """What a turn gave: a row a call, once it had settled; of a traced turn the profiler's trace, and the kernels in it
    (see `bench.measure.trace.read_trace`)."""

    rows: list[dict]
    kernels: list[dict]
    trace: bytes | None


class TurnTaker:
    """An `Observer` that takes turns, as the other end of `connection` says: it sends a `Turn` or None, and receives a
    `TurnRecord` for every turn, the first of them, without rows, when the training is warm."""

    def __init__(
        self,
        task: Task,
        connection: Connection,
        resident: bool,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._task, self._connection, self._resident, self._clock = (
            task,
            connection,
            resident,
            clock,
        )
        self._done = 0  # steps
        self._calls = 0
        self._unrecorded = 0  # calls left in a block without recording
        self._recorded_first = False
        self._turn: Turn | None = None
        self._rows: list[dict] = []
        self._timers: ApiTimers | None = None

    def begin(self) -> None:
        self._mark = self._began = self._clock()

    def step(self, loss: float, steps: int = 1) -> None:
        self._done += steps
        if self._unrecorded:
            self._unrecorded -= 1
            if not self._unrecorded:
                self._end_block(recorded=False)
            return
        ended = self._clock()
        self._calls += 1
        if self._turn is None:
            if ended - self._began >= WARM_UP_S and self._calls >= WARM_UP_CALLS:
                self._finish()
        elif self._settling:
            if ended - self._resumed >= self._turn.settle_s:
                self._enter(ended)
        else:
            self._record(steps, ended)
        self._mark = self._clock()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        """Evaluations lie outside of every call; the call after one is not counted."""
        self._mark = None

    def _enter(self, ended: float) -> None:
        """The training has settled: the instruments of its mode, for the calls that count."""
        self._settling = False
        self._began = self._block_began = ended
        self._block_done = self._done
        if self._turn.mode == "blocks":
            self._recorded_first = not self._recorded_first
            self._unrecorded = 0 if self._recorded_first else BLOCK_CALLS
        elif self._turn.mode == "traced":
            self._tracer = ProfilerTracer()
            self._tracer.start()

    def _record(self, steps: int, ended: float) -> None:
        if self._mark is not None:
            self._rows.append(
                {
                    "steps": steps,
                    "samples": self._samples(self._done - steps, steps),
                    "began_s": self._mark,
                    "ended_s": ended,
                    **(self._timers.take() if self._timers else {}),
                }
            )
        if self._turn.mode == "clocks":
            self._toggle_timers()
        if self._turn.mode == "blocks":
            if len(self._rows) == BLOCK_CALLS:
                self._end_block(recorded=True)
        elif self._turn.mode == "traced":
            self._go_on_tracing()
        elif len(self._rows) >= self._turn.fewest and ended - self._began >= self._turn.seconds:
            self._finish()

    def _toggle_timers(self) -> None:
        """Every second call has clocks at the timers: what is between two of them tells what the clocks cost."""
        if self._timers is None:
            self._timers = ApiTimers()
            self._timers.open()
        else:
            self._stop_timers()

    def _stop_timers(self) -> None:
        if self._timers is not None:
            self._timers.close()
            self._timers = None

    def _go_on_tracing(self) -> None:
        if sum(row["steps"] for row in self._rows) < TRACED_STEPS:
            self._tracer.next_step()
            return
        self._tracer.stop()
        calls, kernels = read_trace(self._tracer.trace)
        self._rows = [{**row, **call} for row, call in zip(self._rows, calls)]
        self._finish(kernels, self._tracer.trace)

    def _end_block(self, recorded: bool) -> None:
        """Ends a block of calls, and begins one of the other kind."""
        ended = self._clock()
        self._blocks.append(
            {
                "recorded": recorded,
                "steps": self._done - self._block_done,
                "began_s": self._block_began,
                "samples": self._samples(self._block_done, self._done - self._block_done),
                "ended_s": ended,
            }
        )
        self._rows = []
        if len(self._blocks) % 2 == 0 and ended - self._began >= self._turn.seconds:
            self._rows = self._blocks
            self._finish()
            return
        self._unrecorded = BLOCK_CALLS if recorded else 0
        self._block_done, self._block_began = self._done, self._clock()

    def _finish(self, kernels: list[dict] = [], trace: bytes | None = None) -> None:  # noqa: B006  never changed
        """Hands over what was measured, and waits for the next turn."""
        self._stop_timers()
        self._connection.send(TurnRecord(self._rows, kernels, trace))
        self._turn = self._connection.recv()
        if self._turn is None:
            raise TurnsDone
        self._rows, self._blocks, self._settling = [], [], True
        self._resumed = self._clock()

    def _samples(self, done: int, steps: int) -> int:
        return (
            steps * self._task.batch_size if self._resident else samples_of(self._task, done, steps)
        )
