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
    """The float64 network; its gradients take `look_s` seconds by its own clock."""

    now, look_s = 0.0, 0.0

    def gradients(self, batch, draw):
        self.now += self.look_s
        return super().gradients(batch, draw)


def watched(look_s, step_s=0.01):
    port = Slow(Task(None, "logits", 0, 1, None))
    port.look_s = look_s
    port.set_weights(initial_weights(130, 2, 0))
    watcher = TrainingWatch(probe=PROBE, clock=lambda: port.now)
    watcher.begin()
    watcher.see(port, None)
    for _ in range(STEPS):
        port.now += step_s
        watcher.step(0.5)
    slowed = watcher.slowed
    watcher.last()
    return watcher, slowed


@pytest.mark.parametrize("look_s", [0.0, 0.001, 0.01, 0.1, 0.25])
def test_looks_take_no_more_than_their_share(look_s):
    watcher, slowed = watched(look_s)
    assert slowed <= SHARE
    assert [look.step for look in watcher.looks][:3] == [0, 1, 2]
    assert watcher.looks[-1].step == STEPS


def test_looks_are_at_powers_of_two_where_they_cost_nothing():
    assert [look.step for look in watched(0.0)[0].looks] == [
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


def test_a_look_that_would_cost_too_much_waits_for_the_end():
    """Allows 3 % of 10 s, which are 0.3 s.

    A look of 0.25 s fits once 8.3 s have gone by, and a look of 0.31 s never does.
    """
    assert [look.step for look in watched(0.25)[0].looks if look.step > 2] == [835, 1000]
    assert [look.step for look in watched(0.31)[0].looks if look.step > 2] == [1000]
