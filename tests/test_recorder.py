from pathlib import Path

import numpy as np
import pytest

from bench.measure.recorder import TRACED_STEPS, WARM_UP_STEPS, Recorder
from bench.task import Batch, Dataset, Evaluation, Probe, Split, Task

EVALUATION = Evaluation(0, 0.5, np.float32(0.25), 1, 2, 3, 4)
PROBE = Probe(np.float32(1.5), np.zeros((2, 2), np.float32))


def task_of(samples: int, epochs: int) -> Task:
    probe = Batch(np.zeros((2, 130), np.float32), np.zeros(2, np.int64))
    split = Split(Path("train"), samples)
    dataset = Dataset("small", 130, "", split, Split(Path("evaluation"), 4), np.zeros(4, np.int64), probe)
    return Task(dataset, "logits", 0, epochs, Path("model"))


class Clock:
    """Stands still unless told to go on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowTracer:
    """Notes its calls, each of which takes an hour."""

    def __init__(self, clock: Clock):
        self.clock, self.calls = clock, []

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.clock.now += 3600

    def start(self):
        self._note("start")

    def next_step(self):
        self._note("next")

    def stop(self):
        self._note("stop")


def run(samples: int, epochs: int, step_s: float = 0.25, evaluation_s: float = 2.0):
    clock = Clock()
    tracer = SlowTracer(clock)
    recorder = Recorder(task_of(samples, epochs), tracer, clock)
    recorder.begin()
    for _ in range(epochs):
        for _ in range(recorder.task.dataset.train.batches()):
            clock.now += step_s
            recorder.step(0.5)
        clock.now += evaluation_s
        recorder.evaluation(EVALUATION, PROBE)
    return recorder, tracer


def test_a_step_takes_its_own_time_without_evaluation_and_tracing():
    recorder, _ = run(samples=32 * 20, epochs=3)
    assert [step["ended_s"] - step["began_s"] for step in recorder.steps] == pytest.approx([0.25] * 60)
    assert [row["ended_s"] - row["began_s"] for row in recorder.evaluations] == pytest.approx([2.0] * 3)


def test_each_step_is_of_its_kind():
    recorder, tracer = run(samples=32 * 20 + 5, epochs=2)
    first, second = recorder.steps[:21], recorder.steps[21:]
    assert [step["kind"] for step in first] == ["warm-up"] * WARM_UP_STEPS + ["steady"] * 15 + ["partial"]
    assert [step["kind"] for step in second] == ["first"] + ["steady"] * 9 + ["traced"] * TRACED_STEPS + ["partial"]
    assert [step["samples"] for step in second] == [32] * 20 + [5]
    assert tracer.calls == ["start"] + ["next"] * (TRACED_STEPS - 1) + ["stop"]


@pytest.mark.parametrize("samples, epochs, traced", [(32, 3, 0), (33, 1, 0), (64, 1, 1), (64, 2, 1), (32 * 11, 2, 10)])
def test_tracing_never_takes_the_first_batch_of_an_epoch(samples, epochs, traced):
    recorder, tracer = run(samples, epochs)
    assert sum(step["kind"] == "traced" for step in recorder.steps) == traced
    assert len(tracer.calls) == (traced + 1 if traced else 0)
    assert tracer.calls[-1:] in ([], ["stop"])


def test_values_are_kept_as_plain_numbers():
    recorder, _ = run(samples=64, epochs=1)
    assert type(recorder.evaluations[0]["loss"]) is float and type(recorder.evaluations[0]["gradient_norm"]) is float
    assert recorder.evaluations[0]["false_negatives"] == 4 and recorder.probes == [PROBE]
