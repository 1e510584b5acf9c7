from pathlib import Path

import numpy as np
import pytest

from bench.measure.recorder import WARM_UP_STEPS, Recorder, samples_of
from bench.task import Batch, Dataset, Evaluation, Probe, Split, Task

pytestmark = pytest.mark.fast

EVALUATION = Evaluation(0, 0.5, np.float32(0.25), 1, 2, 3, 4)
PROBE = Probe(np.float32(1.5), np.zeros((2, 2), np.float32))


def task_of(samples: int, epochs: int, passes_per_epoch: int = 1) -> Task:
    probe = Batch(np.zeros((2, 130), np.float32), np.zeros(2, np.int64))
    split = Split(["train"], samples)
    dataset = Dataset(
        "small", 130, 2, "int16", "", split, Split(["evaluation"], 4), np.zeros(4, np.int64), probe
    )
    return Task(dataset, "logits", 0, epochs, Path("model"), passes_per_epoch=passes_per_epoch)


class Clock:
    """A clock that stands still until a test moves it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(
    task: Task, steps_per_call: int = 1, step_s: float = 0.25, evaluation_s: float = 2.0
) -> Recorder:
    clock = Clock()

    def slow():
        clock.now += 3600

    recorder = Recorder(task, clock, on_epoch=slow)
    recorder.begin()
    for _ in range(task.epochs):
        left = task.steps_per_epoch
        while left:
            steps = min(left, steps_per_call)
            clock.now += steps * step_s
            recorder.step(0.5, steps)
            left -= steps
        clock.now += evaluation_s
        recorder.evaluation(EVALUATION, PROBE)
    return recorder


@pytest.mark.parametrize("steps_per_call", [1, 4, 20])
def test_a_call_takes_its_own_time_without_evaluation_and_what_the_recorder_does(steps_per_call):
    recorder = run(task_of(32 * 20, epochs=3), steps_per_call)
    seconds = [call["ended_s"] - call["began_s"] for call in recorder.steps]
    assert seconds == pytest.approx([0.25 * steps_per_call] * (60 // steps_per_call))
    assert [row["ended_s"] - row["began_s"] for row in recorder.evaluations] == pytest.approx(
        [2.0] * 3
    )


def test_each_step_is_of_its_kind():
    steps = run(task_of(32 * 20 + 5, epochs=2)).steps
    first, second = steps[:21], steps[21:]
    assert [step["kind"] for step in first] == ["warm-up"] * WARM_UP_STEPS + ["steady"] * 15 + [
        "partial"
    ]
    assert [step["kind"] for step in second] == ["first"] + ["steady"] * 19 + ["partial"]
    assert [step["samples"] for step in second] == [32] * 20 + [5]
    assert [step["global_step"] for step in steps] == list(range(1, 43))
    assert second[0]["epoch"] == 2


def test_a_call_that_is_the_whole_epoch_is_steady_and_counts_its_partial_batch():
    calls = run(task_of(32 * 20 + 5, epochs=3), steps_per_call=21).steps
    assert [(call["steps"], call["samples"], call["kind"]) for call in calls] == [
        (21, 645, "warm-up"),
        (21, 645, "steady"),
        (21, 645, "steady"),
    ]
    assert [call["global_step"] for call in calls] == [21, 42, 63]


def test_an_epoch_of_several_passes_has_a_partial_batch_in_each():
    task = task_of(70, epochs=1, passes_per_epoch=3)
    assert task.steps_per_epoch == 9
    assert task.passes == 3
    assert [samples_of(task, done, 1) for done in range(9)] == [32, 32, 6] * 3
    assert samples_of(task, 1, 3) == 32 + 6 + 32
    assert samples_of(task, 0, 9) == 210


def test_values_are_kept_as_plain_numbers():
    recorder = run(task_of(64, epochs=1))
    assert type(recorder.evaluations[0]["loss"]) is float
    assert type(recorder.evaluations[0]["gradient_norm"]) is float
    assert recorder.evaluations[0]["false_negatives"] == 4
    assert recorder.probes == [PROBE]
