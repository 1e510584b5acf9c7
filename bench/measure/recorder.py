"""The observer of a training: it records the loss and time of every call, and every evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields

from bench.task import Evaluation, Probe, Task

WARM_UP_STEPS = 5
"""The first steps of a run set up caches and thread pools; they do not count for throughput."""

_TYPES = {field.name: {"int": int, "float": float}[str(field.type)] for field in fields(Evaluation)}
"""Type of each number of an evaluation: an API may report NumPy scalars, and the files hold plain
numbers."""


@dataclass
class Recorder:
    """An `Observer` that keeps raw values and derives nothing from them.

    The time of a call begins at the end of the call, or of the evaluation, before it. It ends with
    the call. Input, session call, hooks and callbacks are part of it; the recorder's own work is
    not.

    Each row of `steps` is a call of one or several training steps. It holds the last global step,
    the loss, the numbers of steps and samples, begin and end in seconds on `clock`, and a kind.
    Only `steady` calls count for throughput. Calls of the kinds `warm-up`, `first` (of an epoch)
    and `partial` (a single partial batch) do not.
    """

    task: Task
    clock: Callable[[], float] = time.monotonic
    on_epoch: Callable[[], None] = lambda: None
    steps: list[dict] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mark: float | None = None
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
        """Returns the kind of a call.

        The first call of an epoch is slow for the little work that it does. A call that is a whole
        epoch is therefore `steady`.
        """
        if self._done < WARM_UP_STEPS:
            return "warm-up"
        if steps < self.task.steps_per_epoch and self._done % self.task.steps_per_epoch == 0:
            return "first"
        return "partial" if steps == 1 and samples < self.task.batch_size else "steady"


def samples_of(task: Task, done: int, steps: int) -> int:
    """Returns the number of samples in the `steps` steps that follow the first `done` steps.

    The last batch of every pass over the training samples may be partial.
    """
    return _samples_until(task, done + steps) - _samples_until(task, done)


def _samples_until(task: Task, steps: int) -> int:
    passes, place = divmod(steps, task.dataset.train.batches(task.batch_size))
    return passes * task.dataset.train.samples + place * task.batch_size
