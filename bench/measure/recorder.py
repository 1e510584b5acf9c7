"""What a training is observed with: the loss and times of every call that trains, and every evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields

from bench.task import Evaluation, Probe, Task

WARM_UP_STEPS = 5
"""First steps of a run, which set up caches and thread pools."""

_TYPES = {field.name: {"int": int, "float": float}[field.type] for field in fields(Evaluation)}
"""An API may report NumPy scalars; the raw files hold plain numbers."""


@dataclass
class Recorder:
    """An `Observer` that keeps raw values; nothing is derived here.

    A call's time runs from the end of the call before it, or from the end of the evaluation before it, to its
    own end: input, session call, hooks and callbacks included. What the recorder does itself lies outside.

    Each row of `steps` is a call, of one step or of several: its last global step, its time in seconds on `clock`, the loss,
    the numbers of steps and samples, and a kind. Only `steady` calls count for throughput; `warm-up`, the `first` of an
    epoch and a single `partial` batch do not.
    """

    task: Task
    clock: Callable[[], float] = time.monotonic
    on_epoch: Callable[[], None] = lambda: None
    steps: list[dict] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self):
        self._mark = None
        self._done = 0

    def begin(self) -> None:
        self._mark = self.clock()

    def step(self, loss: float, steps: int = 1) -> None:
        ended = self.clock()
        samples = samples_of(self.task, self._done, steps)
        self.steps.append(
            {
                "global_step": self._done + steps,
                "epoch": self._done // self.task.steps_per_epoch + 1,
                "loss": float(loss),
                "steps": steps,
                "samples": samples,
                "began_s": self._mark,
                "ended_s": ended,
                "kind": self._kind(steps, samples),
            }
        )
        self._done += steps
        self._mark = self.clock()

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        ended = self.clock()
        self.evaluations.append(
            {
                "epoch": len(self.evaluations) + 1,
                **{name: _TYPES[name](value) for name, value in asdict(evaluation).items()},
                "gradient_norm": float(probe.gradient_norm),
                "began_s": self._mark,
                "ended_s": ended,
            }
        )
        self.probes.append(probe)
        self.on_epoch()
        self._mark = self.clock()

    def _kind(self, steps: int, samples: int) -> str:
        """The first call of an epoch is slow for its length alone, so that a call which is the whole epoch is steady."""
        if self._done < WARM_UP_STEPS:
            return "warm-up"
        if steps < self.task.steps_per_epoch and self._done % self.task.steps_per_epoch == 0:
            return "first"
        return "partial" if steps == 1 and samples < self.task.batch_size else "steady"


def samples_of(task: Task, done: int, steps: int) -> int:
    """Samples that so many steps see after `done` others: the last batch of every pass may be partial."""
    return _samples_until(task, done + steps) - _samples_until(task, done)


def _samples_until(task: Task, steps: int) -> int:
    passes, place = divmod(steps, task.dataset.train.batches(task.batch_size))
    return passes * task.dataset.train.samples + place * task.batch_size
