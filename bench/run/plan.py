"""How long to measure throughput."""

from __future__ import annotations

from bench.measure.throughput import Throughput
from bench.run.rounds import Plan

ROUNDS = 16
"""Two passes over the balanced orders of eight variants."""

SECONDS = 0.2
"""Of a turn, after it has settled."""

QUICK = Plan(rounds=2, seconds=0.1)


def plan_of(quick: bool, precision: float | None, budget_s: float) -> Plan:
    """A fixed number of rounds, or as many as it takes to know every ratio to `precision` (half the width of its 95 % interval,
    as a share of it) within `budget_s`."""
    if quick:
        return QUICK
    if precision is None:
        return Plan(ROUNDS, SECONDS)
    return Plan(ROUNDS, SECONDS, budget_s,
                lambda turns: all(ratio.precision <= precision for ratio in Throughput(turns.frame()).ratios()))
