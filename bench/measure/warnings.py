"""Warnings about measurements that are doubtful, by the rules of pyperf and hyperfine.

Sources: pyperf 2.x, `check` (spread of 10 %, shortest value under 1 ms;
pyperf.readthedocs.io/en/latest/analyze.html); hyperfine, `outlier_detection.rs` and `Warnings`
(slow first run; outliers, whose modified Z-score is above 14.826, after Iglewicz and Hoaglin 1993,
How to Detect and Handle Outliers).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.measure.statistics import FEWEST_ROUNDS
from bench.measure.throughput import Throughput

SPREAD = 0.10
"""Largest standard deviation over rounds, relative to the mean, without a warning."""

OUTLIER = 14.826
"""Largest distance from the median, in median distances, without a warning."""

SHORTEST_S = 1e-3
"""Shortest time of a call in seconds without a warning."""

OTHERS = 0.10
"""Largest CPU time of other processes, relative to that of the measured one, without a warning."""


def warnings_of(
    calls: pd.DataFrame,
    turns: pd.DataFrame,
    threads: dict[str, tuple],
    precision: float | None,
    governors: list[str],
) -> list[str]:
    """Returns one line per warning about the rounds of one dataset.

    Args:
        calls: the calls of all rounds.
        turns: the turns of all rounds, with their CPU times.
        threads: the numbers of threads within and between ops, by variant.
        precision: the precision that was asked for, if any.
        governors: the frequency governors of the CPU's cores; empty if the system does not tell.
    """
    throughput = Throughput(calls)
    if not throughput.variants:
        return []
    lines = [
        *_rounds(throughput, precision),
        *_per_variant(throughput),
        *_short_calls(calls),
        *_others(turns),
    ]
    if governors and governors != ["performance"]:
        lines.append(
            f"the CPU's governor is {' and '.join(governors)}, which changes its clock rate with "
            "the load: 'cpupower frequency-set -g performance' fixes it."
        )
    if len(set(threads.values())) > 1:
        settings = "; ".join(
            f"{name} {intra} and {inter}" for name, (intra, inter) in threads.items()
        )
        lines.append(f"threads within and between ops differ: {settings}.")
    return lines


def is_outlier(values: np.ndarray) -> np.ndarray:
    """Returns which values lie more than `OUTLIER` median distances from the median, bool [rounds].

    The median distance is the median of all values' distances from their median.
    """
    distance = np.abs(values - np.median(values))
    typical = np.median(distance)
    return distance > OUTLIER * typical if typical else np.zeros(len(values), bool)


def _rounds(throughput: Throughput, precision: float | None) -> Iterable[str]:
    rounds = len(throughput.by_round)
    if rounds < FEWEST_ROUNDS:
        yield f"{rounds} rounds are too few for intervals: it takes {FEWEST_ROUNDS}."
    elif precision is not None:
        widest = max((ratio.precision for ratio in throughput.ratios()), default=0.0)
        if widest > precision:
            yield (
                f"{rounds} rounds were too few for the precision of {precision:.1%} that was asked "
                f"for: the widest interval is ±{widest:.1%}. Give a larger --budget."
            )


def _per_variant(throughput: Throughput) -> Iterable[str]:
    unsteady, slow, outliers = [], [], []
    for variant in throughput.variants:
        values = throughput.of(variant)
        if len(values) < 2:
            continue
        spread = np.std(values, ddof=1) / np.mean(values)
        if spread >= SPREAD:
            unsteady.append(f"{variant} {spread:.0%}")
        odd = is_outlier(values)
        if odd[0] and values[0] < np.median(values):
            slow.append(variant)
        if odd[1:].any():
            outliers.append(f"{variant} {int(odd[1:].sum())}")
    if unsteady:
        yield (
            f"standard deviation over rounds of 10 % or more: {', '.join(unsteady)}. "
            "A quieter machine, or --precision, would help."
        )
    if slow:
        yield f"first round far slower than the rest: {', '.join(slow)}."
    if outliers:
        yield f"rounds far off the others: {', '.join(outliers)}. Something else was running."


def _short_calls(calls: pd.DataFrame) -> Iterable[str]:
    steady = calls[calls["mode"] == "steady"]
    shortest = (steady["ended_s"] - steady["began_s"]).groupby(steady["variant"], sort=False).min()
    short = shortest[shortest < SHORTEST_S]
    if len(short):
        yield (
            "calls of less than 1 ms, of which single ones are not to be trusted "
            "(a round's sum is): "
            + ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in short.items())
            + "."
        )


def _others(turns: pd.DataFrame) -> Iterable[str]:
    steady = turns[turns["mode"] == "steady"]
    own, others = steady["own_cpu_s"].sum(), steady["others_cpu_s"].sum()
    if own > 0 and others > OTHERS * own:
        yield f"other processes took {others / own:.0%} as much CPU time as what was measured."
