"""What a run is observed with: every step's loss and times, every evaluation, and a trace of a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Protocol

from bench.task import Evaluation, Probe, Task

WARM_UP_STEPS = 5
"""First steps of a run, which set up caches and thread pools."""

TRACED_STEPS = 10
"""Last whole batches of the second epoch (of the first, if it is the only one), which run under the profiler."""

_TYPES = {field.name: {"int": int, "float": float}[field.type] for field in fields(Evaluation)}
"""An API may report NumPy scalars; the raw files hold plain numbers."""


class Tracer(Protocol):
    """A profiler: see `bench.measure.trace`."""

    def start(self) -> None: ...

    def next_step(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class Recorder:
    """An `Observer` that keeps raw values; nothing is derived here.

    A step's time runs from the end of the step before it, or from the end of the evaluation before it, to its
    own end: input, session call, hooks and callbacks included. What the recorder does itself lies outside.

    Each row of `steps` has the time in seconds on `clock`, the loss, the number of samples and a kind: only
    `steady` steps count for throughput; `warm-up`, the `first` of an epoch, a `partial` batch and `traced` do not.
    """

    task: Task
    tracer: Tracer
    clock: Callable[[], float] = time.monotonic
    on_epoch: Callable[[], None] = lambda: None
    steps: list[dict] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self):
        split, batch_size = self.task.dataset.train, self.task.batch_size
        self._whole = split.samples // batch_size
        self._partial = split.samples % batch_size
        self._per_epoch = split.batches(batch_size)
        self._traced_epoch = min(2, self.task.epochs)
        self._mark = None

    def begin(self) -> None:
        self._mark = self.clock()

    def step(self, loss: float) -> None:
        ended = self.clock()
        epoch, place = divmod(len(self.steps), self._per_epoch)
        self.steps.append({
            "global_step": len(self.steps) + 1,
            "epoch": epoch + 1,
            "loss": float(loss),
            "samples": self._partial if place == self._whole else self.task.batch_size,
            "began_s": self._mark,
            "ended_s": ended,
            "kind": self._kind(epoch + 1, place),
        })
        self._trace(epoch + 1, place)
        self._mark = self.clock()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        ended = self.clock()
        self.evaluations.append({
            "epoch": len(self.evaluations) + 1,
            **{name: _TYPES[name](value) for name, value in asdict(evaluation).items()},
            "gradient_norm": float(probe.gradient_norm),
            "began_s": self._mark,
            "ended_s": ended,
        })
        self.probes.append(probe)
        self.on_epoch()
        self._mark = self.clock()

    def _trace(self, epoch: int, place: int) -> None:
        """The first batch of an epoch is never traced, so that a trace spans no evaluation."""
        was, comes = self._is_traced(epoch, place), self._is_traced(epoch, place + 1)
        if was and comes:
            self.tracer.next_step()
        elif comes:
            self.tracer.start()
        elif was:
            self.tracer.stop()

    def _kind(self, epoch: int, place: int) -> str:
        if self._is_traced(epoch, place):
            return "traced"
        if len(self.steps) < WARM_UP_STEPS:
            return "warm-up"
        if place == self._whole:
            return "partial"
        return "first" if place == 0 else "steady"

    def _is_traced(self, epoch: int, place: int) -> bool:
        return epoch == self._traced_epoch and max(1, self._whole - TRACED_STEPS) <= place < self._whole
