"""How long to measure throughput."""

from __future__ import annotations

from bench.measure.throughput import Throughput
from bench.run.rounds import Plan

ROUNDS = {"small": 16, "large": 8}
"""Two passes, or one, over the balanced orders of eight variants: what `all` has time for."""

SECONDS = {"small": 0.2, "large": 0.3}
"""Of a turn, after it has settled."""

QUICK = Plan(rounds=2, seconds=0.1)


def plan_of(size: str, quick: bool, precision: float | None, budget_s: float) -> Plan:
    """For a dataset of a `Spec.size`: a fixed number of rounds, or as many as it takes to know every ratio to `precision` (half the width of its 95 % interval,
    as a share of it) within `budget_s`."""
    if quick:
        return QUICK
    if precision is None:
        return Plan(ROUNDS[size], SECONDS[size])
    return Plan(
        ROUNDS[size],
        SECONDS[size],
        budget_s,
        lambda turns: all(
            ratio.precision <= precision for ratio in Throughput(turns.frame()).ratios()
        ),
    )
