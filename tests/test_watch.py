"""What watching may cost, by a clock that the test moves, on the NumPy network."""

import numpy as np
import pytest

from bench.diagnose.training_watch import SHARE, TrainingWatch
from bench.parity.port import PortBatch
from bench.parity.ports.standard import Standard
from bench.task import Task, initial_weights

GENERATOR = np.random.default_rng(0)
PROBE = PortBatch({"signal": GENERATOR.standard_normal((4, 130))}, np.array([0, 1, 0, 1]))
STEPS = 1000


class Slow(Standard):
    """The float64 network; its gradients take `snapshot_s` seconds by its own clock."""

    now, snapshot_s = 0.0, 0.0

    def gradients(self, batch, draw):
        self.now += self.snapshot_s
        return super().gradients(batch, draw)


def watched(snapshot_s, step_s=0.01):
    port = Slow(Task(None, "logits", 0, 1, None))
    port.snapshot_s = snapshot_s
    port.set_weights(initial_weights(130, 2, 0))
    watch = TrainingWatch(clock=lambda: port.now)
    watch.begin()
    watch.see(port, PROBE, None)
    for _ in range(STEPS):
        port.now += step_s
        watch.step(0.5)
    slowed = watch.slowed
    watch.finish()
    return watch, slowed


@pytest.mark.parametrize("snapshot_s", [0.0, 0.001, 0.01, 0.1, 0.25])
def test_snapshots_take_no_more_than_their_share(snapshot_s):
    watch, slowed = watched(snapshot_s)
    assert slowed <= SHARE
    assert [snapshot.step for snapshot in watch.snapshots][:3] == [0, 1, 2]
    assert watch.snapshots[-1].step == STEPS


def test_snapshots_are_at_powers_of_two_where_they_cost_nothing():
    assert [snapshot.step for snapshot in watched(0.0)[0].snapshots] == [
        0,
        1,
        2,
        4,
        8,
        16,
        32,
        64,
        128,
        256,
        512,
        1000,
    ]


def test_a_snapshot_that_would_cost_too_much_waits_for_the_end():
    """Allows 3 % of 10 s, which are 0.3 s.

    A snapshot of 0.25 s fits once 8.3 s have gone by, and a snapshot of 0.31 s never does.
    """
    assert [snapshot.step for snapshot in watched(0.25)[0].snapshots if snapshot.step > 2] == [
        835,
        1000,
    ]
    assert [snapshot.step for snapshot in watched(0.31)[0].snapshots if snapshot.step > 2] == [1000]
