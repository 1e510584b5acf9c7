"""Measures throughput: all variants of a dataset start at once, and then take turns, round by
round.

The process of a training waits until its turn comes (see `bench.measure.turns`). A round has one
turn of each; the order is balanced over rounds. So what slows the machine for seconds or minutes
slows all variants alike, and ratios are paired by round.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from bench.measure.gpu import Gpus, over_turn
from bench.measure.throughput import FLOOR
from bench.measure.turns import Turn, TurnRecord, TurnsDone, TurnTaker
from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.process.reason import one_line
from bench.results.rounds import Turns, VariantRecord, write_rounds
from bench.run.limits import Limiter, Limits, ProcessEnded
from bench.run.variants import Variant, balanced_orders
from bench.run.worker import load, redirect_output, status_of
from bench.task import BATCH_SIZE, Dataset, Task

WITHOUT_END = 1000
"""Number of epochs of a training that takes turns, and of passes in each epoch: there is at most
one evaluation per minute."""


@dataclass(frozen=True)
class Plan:
    """How long to measure: `rounds` of turns of `seconds` each, and more of them until `is_precise`
    says that the intervals are narrow enough or the `budget_s` of a dataset is spent."""

    rounds: int
    seconds: float
    budget_s: float = 0.0
    is_precise: Callable[[Turns], bool] = lambda turns: True


class _Trainee:
    """The process of one variant, as the runner sees it."""

    def __init__(
        self,
        variant: Variant,
        dataset: Dataset,
        batch_size: int,
        folder: Path,
        gpus: Gpus,
        limits: Limits,
    ):
        self._gpus = gpus
        self.record = VariantRecord(
            variant.name,
            variant.implementation,
            variant.module,
            variant.profile,
            dataset.name,
            dataset.length,
        )
        self.record.log = f"logs/rounds-{variant.name}-{dataset.name}.log"
        self._connection, theirs = CONTEXT.Pipe()
        self._group = Group(
            train_in_turns, variant, dataset, batch_size, folder / self.record.log, theirs
        )
        theirs.close()
        self._watch = Limiter(self._group, limits)

    def take(self, turn: Turn) -> tuple[TurnRecord, dict]:
        """Runs a turn. Returns its record, and the load of the machine during the turn."""
        before, gpu_before = _cpu_seconds(self._group.pid), self._gpus.read()
        self._send(turn)
        taken = self.wait()
        after = _cpu_seconds(self._group.pid)
        return taken, {
            "others_cpu_s": after["busy"] - before["busy"] - (after["own"] - before["own"]),
            "own_cpu_s": after["own"] - before["own"],
            **over_turn(gpu_before, self._gpus.read()),
        }

    def wait(self, on_look: Callable[[], None] = lambda: None):
        """Waits for the next message: a `TurnRecord`, or, at the end, the threads and memory of the
        process.

        Raises:
            ProcessEnded: The training ended before its turns were over.
        """
        with self._noted():
            message = self._watch.hear(self._connection, time.monotonic(), on_look)
            if isinstance(message, ProcessEnded):
                raise message
        return message

    def weigh(self) -> None:
        """Ends the process if it takes too much memory while the runner waits for another one.

        Raises:
            ProcessEnded: It took too much.
        """
        if self.record.status == "ok":
            with self._noted():
                self._watch.weigh()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except ProcessEnded as ended:
            self.record.status, self.record.reason = ended.status, ended.reason
            self.end()
            raise

    def finish(self) -> None:
        """Tells the process that its turns are over, and asks for its threads and memory."""
        if self.record.status == "ok":
            self._send(None)
            self.record.environment = self.wait()

    def end(self) -> None:
        self._group.end()

    def _send(self, turn: Turn | None) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died: `wait` says how
            self._connection.send(turn)


def measure_rounds(
    variants: list[Variant],
    dataset: Dataset,
    plan: Plan,
    folder: Path,
    on_progress: Callable[[str, float], None],
    batch_size: int = BATCH_SIZE,
    clock: Callable[[], float] = time.monotonic,
    limits: Limits | None = None,
    fingerprint: str = "",
) -> list[VariantRecord]:
    """Measures all variants and stores the results. A variant that fails has the reason in its
    record, and the others go on.

    `on_progress` is called with what is going on and the share that is done. After an exception,
    what was measured so far is stored without the `fingerprint`.
    """
    began = clock()
    limits, stored = limits or Limits(), ""
    trainees: dict[Variant, _Trainee] = {}
    turns, gpus = Turns(dataset.name), Gpus()
    try:
        on_progress(f"starting {len(variants)} trainings", 0)
        for variant in variants:
            trainees[variant] = _Trainee(variant, dataset, batch_size, folder, gpus, limits)
        for trainee in trainees.values():
            if trainee.record.status == "ok":
                _await_start(trainee, trainees)
        for number in _round_numbers(plan, turns, lambda: clock() - began):
            on_progress(f"round {number}", 0.15 + 0.8 * min(1, number / plan.rounds))
            _round(number, ("steady", "clocks"), variants, trainees, plan.seconds, turns)
            _turn(
                number, 0, variants[0], trainees[variants[0]], Turn("blocks", plan.seconds), turns
            )
        on_progress("tracing", 0.96)
        _round(1, ("traced",), variants, trainees, plan.seconds, turns)
        for trainee in trainees.values():
            _or_none(trainee.finish)
        stored = fingerprint
    finally:
        for trainee in trainees.values():
            trainee.end()
        records = [trainee.record for trainee in trainees.values()]
        write_rounds(folder, turns, records, stored)
    return records


def _round_numbers(plan: Plan, turns: Turns, elapsed_s: Callable[[], float]) -> Iterator[int]:
    number = 0
    while number < plan.rounds or (elapsed_s() < plan.budget_s and not plan.is_precise(turns)):
        number += 1
        yield number


def _round(
    number: int,
    modes: Sequence[str],
    variants: list[Variant],
    trainees: dict,
    seconds: float,
    turns: Turns,
) -> None:
    """Runs a turn of each variant, in one mode after the other."""
    orders = balanced_orders(len(variants))
    for place, index in enumerate(orders[(number - 1) % len(orders)], start=1):
        variant = variants[index]
        _turn(number, place, variant, trainees[variant], Turn(modes[0], seconds), turns)
        for mode in modes[1:]:
            _turn(
                number,
                place,
                variant,
                trainees[variant],
                Turn(mode, seconds / 2, settle_s=0),
                turns,
            )


def _turn(
    number: int, place: int, variant: Variant, trainee: _Trainee, turn: Turn, turns: Turns
) -> None:
    if trainee.record.status == "ok":
        answer = _or_none(lambda: trainee.take(turn))
        if answer is not None:
            turns.add(variant.name, turn.mode, number, place, *answer)


def _await_start(trainee: _Trainee, trainees: dict[Variant, _Trainee]) -> None:
    _or_none(lambda: trainee.wait(lambda: _weigh_others(trainee, trainees)))


def _weigh_others(waited_for: _Trainee, trainees: dict) -> None:
    """Checks the memory of the other trainings. All take their memory at the start; later only one
    runs at a time."""
    for trainee in trainees.values():
        if trainee is not waited_for:
            _or_none(trainee.weigh)


def _or_none(action: Callable):
    try:
        return action()
    except ProcessEnded:
        return None


def _cpu_seconds(pid: int) -> dict[str, float]:
    """Returns CPU seconds until now: of one process, and of all cores together, with stolen
    time."""
    system = psutil.cpu_times()
    try:
        own = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return {"busy": 0.0, "own": 0.0}
    idle = system.idle + getattr(system, "iowait", 0.0)
    return {
        "busy": sum(system)
        - idle
        - getattr(system, "guest", 0.0)
        - getattr(system, "guest_nice", 0.0),
        "own": own.user + own.system,
    }


def train_in_turns(
    variant: Variant, dataset: Dataset, batch_size: int, log: Path, connection: Connection
) -> None:
    """Trains in the process of a variant."""
    redirect_output(log)
    with tempfile.TemporaryDirectory(prefix="bench-rounds-") as model_dir:
        task = Task(
            dataset,
            "logits",
            0,
            WITHOUT_END,
            Path(model_dir),
            batch_size=batch_size,
            passes_per_epoch=WITHOUT_END,
        )
        taker = TurnTaker(task, connection, resident=variant.profile == FLOOR)
        try:
            load(variant.module, "tuned" if variant.profile == "tuned" else "default")(task, taker)
            connection.send(
                ProcessEnded(
                    "failed",
                    "its training ended before its turns were over: does it use passes_per_epoch?",
                )
            )
        except TurnsDone:
            connection.send(describe_threads())
        except (Exception, SystemExit) as error:
            connection.send(ProcessEnded(status_of(error), one_line(error)))
            traceback.print_exc()


def describe_threads() -> dict:
    """Returns the threads of this process, and its peak memory in MiB."""
    import os

    import tensorflow as tf

    gpus = [gpu.name.split("device:")[1] for gpu in tf.config.list_logical_devices("GPU")]
    peaks = [tf.config.experimental.get_memory_info(gpu)["peak"] / 2**20 for gpu in gpus]
    return {
        **({"gpu_peak_mib": sum(peaks)} if peaks else {}),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads()
        or os.cpu_count(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads()
        or os.cpu_count(),
        "peak_rss_mib": psutil.Process().memory_info().rss / 2**20,
    }
