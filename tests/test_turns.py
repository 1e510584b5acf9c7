"""Turns of a training that a script stops and continues.

The clock moves only while the training computes.
"""

import contextlib

import pytest
from test_recorder import EVALUATION, PROBE, Clock, task_of

from bench.measure.turns import (
    BLOCK_CALLS,
    SETTLE_S,
    WARM_UP_CALLS,
    WARM_UP_S,
    TurnsDone,
    TurnTaker,
)
from bench.measure.turns import Turn as turn_of

CALL_S = 2**-6
"""Length of a call in seconds; a power of two, so that sums of it are exact."""


class Script:
    """The parent's end of the connection.

    It gives each turn an hour after it was asked for, and keeps what it is sent.
    """

    def __init__(self, clock, *turns):
        self.clock, self.turns, self.taken = clock, [*turns, None], []

    def send(self, taken):
        self.taken.append(taken)

    def recv(self):
        self.clock.now += 3600
        return self.turns.pop(0)


def train(
    *turns, call_s=CALL_S, steps=1, samples=32 * 50, resident=False, evaluate_every=0, calls=10_000
):
    """Trains in equal calls until the script ends it; returns what the script was sent."""
    clock = Clock()
    script = Script(clock, *turns)
    taker = TurnTaker(task_of(samples, 1000), script, resident, clock)
    taker.begin()

    def step_until_done():
        for call in range(1, calls):
            clock.now += call_s
            taker.step(0.5, steps)
            if evaluate_every and call % evaluate_every == 0:
                clock.now += 100
                taker.evaluation(EVALUATION, PROBE)

    with pytest.raises(TurnsDone):
        step_until_done()
    return script.taken


def seconds(taken):
    return [row["ended_s"] - row["began_s"] for row in taken.rows]


@pytest.mark.fast
def test_it_warms_up_first_and_sends_no_rows_of_that():
    (warm,) = train(call_s=WARM_UP_S / 10)
    assert warm.rows == []
    (slow,) = train(call_s=2 * WARM_UP_S, calls=WARM_UP_CALLS + 1)
    assert slow.rows == []


@pytest.mark.fast
def test_a_turn_counts_neither_the_time_it_stood_still_nor_the_calls_in_which_it_settled():
    _, first, second = train(turn_of("steady", 0.25), turn_of("steady", 0.125))
    assert seconds(first) == [CALL_S] * 16
    assert seconds(second) == [CALL_S] * 8
    assert first.rows[0]["steps"] == 1
    assert first.rows[0]["samples"] == 32
    settled = first.rows[0]["began_s"] - 3600 - 100  # This is the time since the training began.
    assert WARM_UP_S + SETTLE_S <= settled <= WARM_UP_S + SETTLE_S + 3 * CALL_S


@pytest.mark.fast
def test_a_turn_without_settling_loses_its_first_call_alone():
    _, _, second = train(turn_of("steady", 0.125), turn_of("steady", 0.125, settle_s=0))
    assert len(second.rows) == 8


@pytest.mark.fast
def test_a_call_longer_than_the_turn_is_measured_all_the_same():
    _, turn = train(turn_of("steady", 0.1), call_s=5.0, steps=50)
    assert seconds(turn) == pytest.approx([5.0])
    assert turn.rows[0]["steps"] == 50


@pytest.mark.fast
def test_evaluations_and_the_call_after_them_do_not_count():
    _, turn = train(turn_of("steady", 2.0), evaluate_every=50)
    assert set(seconds(turn)) == {CALL_S}


@pytest.mark.fast
def test_partial_batches_count_with_their_own_samples_and_a_resident_batch_has_none():
    _, turn = train(turn_of("steady", 0.5), samples=70, steps=3)
    assert {row["samples"] for row in turn.rows} == {70}
    _, turn = train(turn_of("steady", 0.5), samples=70, steps=3, resident=True)
    assert {row["samples"] for row in turn.rows} == {96}


@pytest.mark.fast
def test_blocks_alternate_with_and_without_recording_and_lose_no_step():
    _, turn, other = train(turn_of("blocks", 1.0), turn_of("blocks", 1.0))
    assert [row["recorded"] for row in turn.rows] == [True, False] * (len(turn.rows) // 2)
    assert len(turn.rows) >= 4
    assert [row["recorded"] for row in other.rows] == [False, True] * (len(turn.rows) // 2)
    assert {row["steps"] for row in turn.rows} == {BLOCK_CALLS}
    assert {row["samples"] for row in turn.rows} == {32 * BLOCK_CALLS}
    assert seconds(turn) == [CALL_S * BLOCK_CALLS] * len(turn.rows)
    _, _, after = train(turn_of("blocks", 1.0), turn_of("steady", 0.125))
    assert seconds(after) == [CALL_S] * 8


def test_clocks_at_the_doors_are_removed_after_their_turn():
    from tensorflow.python.client.session import BaseSession

    original = BaseSession.run
    _, turn, long_call = train(turn_of("clocks", 0.125), turn_of("clocks", CALL_S / 2))
    assert BaseSession.run is original
    assert len(turn.rows) == 8
    assert len(long_call.rows) == 2
    assert ["runtime_s" in row for row in turn.rows] == [False, True] * 4


@pytest.mark.parametrize(("call_s", "calls"), [(2**-4, 5), (2**-2, 3), (8.0, 3)])
def test_it_is_warm_after_a_third_of_a_second_and_three_calls(call_s, calls):
    _, turn = train(turn_of("steady", 0.0, settle_s=0), call_s=call_s)
    began = turn.rows[0]["began_s"] - 3600 - 100  # since the training began
    assert began == (calls + 1) * call_s  # the first call of a turn is never counted


def test_every_call_has_the_samples_of_its_own_batches():
    """Of 70 samples, every third batch has 6."""
    _, turn = train(turn_of("steady", 0.5), samples=70)
    for row in turn.rows:
        step = (row["began_s"] - 3600 - 100) / CALL_S
        assert row["samples"] == (6 if step % 3 == 2 else 32)


def test_blocks_of_calls_of_several_steps_count_all_of_them():
    _, turn = train(turn_of("blocks", 1.0), steps=3)
    assert {row["steps"] for row in turn.rows} == {3 * BLOCK_CALLS}
    assert {row["samples"] for row in turn.rows} == {32 * 3 * BLOCK_CALLS}


class SlowClock(Clock):
    """A second goes by with every look at it."""

    def __call__(self):
        self.now += 1
        return self.now


def test_what_the_observer_does_between_two_calls_belongs_to_neither():
    clock = SlowClock()
    script = Script(clock, turn_of("steady", 30.0))
    taker = TurnTaker(task_of(32 * 50, 1000), script, False, clock)
    taker.begin()
    with contextlib.suppress(TurnsDone):
        for _ in range(1000):
            clock.now += 4
            taker.step(0.5)
    rows = script.taken[1].rows
    assert {row["ended_s"] - row["began_s"] for row in rows} == {5}
    assert all(after["began_s"] > row["ended_s"] for row, after in zip(rows, rows[1:]))


def test_a_training_that_catches_every_exception_ends_all_the_same():
    clock = Clock()
    taker = TurnTaker(task_of(32 * 50, 1000), Script(clock), False, clock)

    def train_stubbornly():
        for _ in range(WARM_UP_CALLS):
            clock.now += 1
            with contextlib.suppress(Exception):
                taker.step(0.5)

    taker.begin()
    with pytest.raises(TurnsDone):
        train_stubbornly()


def test_clocks_are_removed_after_a_turn_that_ends_with_a_call_without_them():
    from tensorflow.python.client.session import BaseSession

    original = BaseSession.run
    _, turn = train(turn_of("clocks", 3 * CALL_S))
    assert BaseSession.run is original
    assert ["runtime_s" in row for row in turn.rows] == [False, True, False]


@pytest.mark.parametrize(("steps", "calls"), [(1, 10), (4, 3), (50, 1)])
def test_a_traced_turn_ends_with_the_call_that_reaches_ten_steps(steps, calls):
    _, turn = train(turn_of("traced", 0.0), steps=steps)
    assert [row["steps"] for row in turn.rows] == [steps] * calls
    assert all("runtime_ms" in row for row in turn.rows)
    assert turn.trace
