"""Plans how long to measure throughput."""

from __future__ import annotations

from bench.measure.throughput import Throughput
from bench.run.rounds import Plan

ROUNDS = {"small": 16, "large": 8}
"""Number of rounds: two passes (small) or one (large) over the balanced orders of eight
variants."""

SECONDS = {"small": 0.2, "large": 0.3}
"""Seconds of a turn, after it has settled."""

QUICK = Plan(rounds=2, seconds=0.1)


def plan_of(size: str, quick: bool, precision: float | None, budget_s: float) -> Plan:
    """Returns the plan for a dataset of this `Spec.size`: a fixed number of rounds if there is no
    `precision`.

    With `precision`, rounds go on until half the width of every ratio's 95 % interval, as a share
    of the ratio, is no larger, or until `budget_s` seconds are spent.
    """
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
