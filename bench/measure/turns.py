"""Trainings that take turns: one goes on for a moment while all others stand still.

Whatever the machine does in the meantime then disturbs all trainings alike. A training does not
know of turns: its observer returns from a call only when the next turn begins, and it raises
`TurnsDone` after the last turn.
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
"""A training is warm after this time and these calls."""

SETTLE_S = 0.1
"""The first calls after standing still do not count: caches, threads and a virtual machine's second
core have to wake up. On the small dataset, calls became faster by a third over the first 0.1 s; on
the large one by a tenth over the first three calls."""

TRACED_STEPS = 10
"""A traced turn ends with the call that reaches this step: a trace grows by 150 events a step."""

BLOCK_CALLS = 5
"""Calls in a block. Blocks with and without recording alternate, and so does the first block of a
turn."""


class TurnsDone(BaseException):
    """Ends a training whose turns are over. An `except Exception` does not catch it."""


@dataclass(frozen=True)
class Turn:
    """What a training has to do in its next turn.

    Attributes:
        mode: `steady`: a row per call. `blocks`: a row per block of calls; in every second block
            nothing is recorded. `clocks`: a row per call; every second call runs with the clocks of
            `ApiTimers`. `traced`: a row per call, under the profiler.
        seconds: how long the turn lasts after it has settled.
        settle_s: the seconds at its beginning that do not count.
    """

    mode: str
    seconds: float
    settle_s: float = SETTLE_S

    @property
    def min_rows(self) -> int:
        """Smallest number of rows: a call with clocks comes with one without."""
        return 2 if self.mode == "clocks" else 1


WARM_UP = Turn("warm-up", WARM_UP_S)
"""What a training does before its first turn."""


@dataclass
class TurnRecord:
    """What was measured in a turn, after it had settled: its rows, one per call or block.

    A traced turn also has the profiler's trace, and the kernels in it (see
    `bench.measure.trace.read_trace`).
    """

    rows: list[dict]
    kernels: list[dict]
    trace: bytes | None


class TurnTaker:
    """An `Observer` that takes turns, as the other end of `connection` tells it.

    It sends a `TurnRecord` when the training is warm, which has no rows, and after every turn. Each
    time it waits for the next `Turn`, or for None, which ends the training. With `resident`, the
    training repeats one batch that stays in memory, so that no batch is partial.
    """

    def __init__(
        self,
        task: Task,
        connection: Connection,
        resident: bool,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._task, self._connection = task, connection
        self._resident, self._clock = resident, clock
        self._done = 0  # steps
        self._calls = 0
        self._unrecorded = 0  # calls left in a block without recording
        self._recorded_first = False
        self._turn = WARM_UP
        self._settling = False
        self._rows: list[dict] = []
        self._blocks: list[dict] = []
        self._timers: ApiTimers | None = None
        self._tracer = ProfilerTracer()
        self._began = self._resumed = clock()  # of what counts, and of the turn
        self._mark: float | None = None  # begin of the call, unless an evaluation came before it
        self._block_began, self._block_done = 0.0, 0

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
        if self._turn is WARM_UP:
            if ended - self._began >= self._turn.seconds and self._calls >= WARM_UP_CALLS:
                self._finish()
        elif self._settling:
            if ended - self._resumed >= self._turn.settle_s:
                self._enter(ended)
        else:
            self._record(steps, ended)
        self._mark = self._clock()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        """Drops the next call: an evaluation is part of no call, and disturbs the one after it."""
        self._mark = None

    def _enter(self, ended: float) -> None:
        """Starts the instruments of the turn's mode, once the training has settled."""
        self._settling = False
        self._began = self._block_began = ended
        self._block_done = self._done
        if self._turn.mode == "blocks":
            self._recorded_first = not self._recorded_first
            self._unrecorded = 0 if self._recorded_first else BLOCK_CALLS
        elif self._turn.mode == "traced":
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
        elif len(self._rows) >= self._turn.min_rows and ended - self._began >= self._turn.seconds:
            self._finish()

    def _toggle_timers(self) -> None:
        """Installs or removes the clocks: the calls without them show how much time clocks take."""
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
        """Ends a block of calls, and begins one of the other kind, or ends the turn."""
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

    def _finish(self, kernels: list[dict] | None = None, trace: bytes | None = None) -> None:
        """Sends what was measured, and waits for the next turn."""
        self._stop_timers()
        self._connection.send(TurnRecord(self._rows, kernels or [], trace))
        turn = self._connection.recv()
        if turn is None:
            raise TurnsDone
        self._turn, self._rows, self._blocks, self._settling = turn, [], [], True
        self._resumed = self._clock()

    def _samples(self, done: int, steps: int) -> int:
        if self._resident:
            return steps * self._task.batch_size
        return samples_of(self._task, done, steps)
