"""Writes rounds by hand, with known throughputs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.measure.turns import TurnRecord
from bench.results.rounds import Turns, VariantRecord, write_rounds

BATCH = 25
"""Number of samples in a step."""


def turns_of(
    rates: dict[str, list[float]],
    dataset: str = "small",
    call_s: float = 0.5,
    clocks: bool = False,
    recorded_cost: float = 0.0,
    others_cpu_s: float = 0.0,
    gpu: bool = False,
) -> Turns:
    """Returns turns of two calls in every round.

    `rates` has the samples per second of each variant, one number for each round.
    """
    turns = Turns(dataset)
    now = 0.0
    machine = {"own_cpu_s": 2 * call_s, "others_cpu_s": others_cpu_s}

    def calls(rate: float, extra: dict | None = None) -> list[dict]:
        nonlocal now
        rows = []
        for _ in range(2):
            rows.append(
                {
                    "steps": rate * call_s / BATCH,
                    "samples": rate * call_s,
                    "began_s": now,
                    "ended_s": now + call_s,
                    **(extra or {}),
                }
            )
            now += call_s
        return rows

    for number in range(1, 1 + max(map(len, rates.values()))):
        for place, (variant, values) in enumerate(rates.items(), start=1):
            if number <= len(values):
                turns.add(
                    variant,
                    "steady",
                    number,
                    place,
                    TurnRecord(calls(values[number - 1]), [], None),
                    machine,
                )
                if clocks:
                    spent = {"runtime_s": 0.8 * call_s, "api_s": 0.15 * call_s}
                    rows = [
                        row for extra in (None, spent) for row in calls(values[number - 1], extra)
                    ]
                    turns.add(variant, "clocks", number, place, TurnRecord(rows, [], None), machine)
    first = next(iter(rates))
    for number in range(1, 1 + len(rates[first])):
        blocks = [
            {
                **row,
                "recorded": recorded,
                "ended_s": row["ended_s"] + (recorded_cost * call_s if recorded else 0),
            }
            for recorded in (True, False)
            for row in calls(100.0)
        ]
        turns.add(first, "blocks", number, 0, TurnRecord(blocks, [], None), machine)
    if clocks:
        for variant in rates:
            traced = {
                "runtime_ms": 800.0 * call_s,
                "kernels_ms": 600.0 * call_s,
                "input_ms": 100.0 * call_s,
            }
            traced |= {"gpu_ms": 500.0 * call_s, "gpu_copy_ms": 20.0 * call_s} if gpu else {}
            kernels = [
                {"kernel": "Conv2D", "device": "CPU", "count": 4, "total_ms": 90.0},
                {"kernel": "Relu", "device": "CPU", "count": 2, "total_ms": 10.0},
            ]
            turns.add(
                variant, "traced", 1, 1, TurnRecord(calls(50.0, traced), kernels, b"trace"), machine
            )
    return turns


def records_of(rates: dict[str, list[float]], dataset: str = "small") -> list[VariantRecord]:
    records = []
    for name in rates:
        implementation, _, profile = name.rpartition("-")
        records.append(
            VariantRecord(
                name,
                implementation,
                f"impl_{implementation}",
                profile,
                dataset,
                130,
                environment={"intra_op_threads": 2, "inter_op_threads": 2, "peak_rss_mib": 300.0},
            )
        )
    return records


def write_timings(folder, rates: dict[str, list[float]], dataset: str = "small", **options) -> None:
    """Writes the raw files of such rounds."""
    write_rounds(folder, turns_of(rates, dataset, **options), records_of(rates, dataset))


def calls_of(rates: dict[str, list[float]], **options) -> pd.DataFrame:
    turns = turns_of(rates, **options)
    return pd.DataFrame(turns.call_rows)


def noisy(median: float, rounds: int, spread: float, seed: int) -> list[float]:
    return list(median * np.exp(np.random.default_rng(seed).normal(0, spread, rounds)))
