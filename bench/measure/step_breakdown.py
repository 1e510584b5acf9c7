"""Where the wall time of a steady step goes: kernels, input, runtime, API, other Python.

The clocks of `bench.measure.api_timers` give the time in C++, in the API's Python and in all other
Python. A trace of the TensorFlow profiler gives the shares of the time in C++ that were spent in
kernels and on waiting for input. The rest of the time in C++ is the runtime's. Tracing makes steps
longer, so only shares are taken from a trace. All times come from steps that nothing disturbed but
a few readings of a clock.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PARTS = ("kernels", "input", "runtime", "api", "python")
"""The parts of a step:

kernels: kernels compute.
input: no kernel runs, and an op waits for the input pipeline.
runtime: the executor and all other C++.
api: sessions, hooks, callbacks and `tf.function`, in Python.
python: all other Python.
"""


def step_breakdown(calls: pd.DataFrame) -> pd.DataFrame:
    """Returns the parts of a step in milliseconds, one row per variant, from the calls of rounds.

    Columns:
        wall: the median of the calls without clocks. They alternate with the calls with clocks.
        one per part in `PARTS`: from the medians of the calls with clocks, so that the parts add up
            to the median of these.
        PART_low, PART_high: the range of a part over rounds, and over the quartiles of the shares
            in the traced calls.
        residual: `wall` less the sum of the parts.
        tracing: how much longer steps were while they were traced, as a share of `wall`.
        gpu, gpu_copy (with a GPU): milliseconds in which a kernel, or a copy, ran on the GPU.
        gpu_low, gpu_high (with a GPU): the quartiles of `gpu` over the traced calls.
        gpu_busy (with a GPU): `gpu` as a share of the traced step.
    """
    rows = {}
    for variant, own in calls.groupby("variant", sort=False):
        clocks, traced = (own[own["mode"] == mode] for mode in ("clocks", "traced"))
        if len(clocks) and len(traced):
            rows[variant] = _row(clocks, traced)
    return pd.DataFrame.from_dict(rows, orient="index")


def _row(clocks: pd.DataFrame, traced: pd.DataFrame) -> dict:
    batch = (clocks["samples"] / clocks["steps"]).max()
    has_clocks = clocks["runtime_s"].notna()
    clocked = _per_step(clocks[has_clocks], batch, ["runtime_s", "api_s"])
    wall = _per_step(clocks[~has_clocks], batch, [])["wall"].median()
    row = {"wall": wall, "residual": wall - clocked["wall"].median()}
    middle, *ends = _shares(traced)
    rounds = clocked.groupby("round").median()
    extremes = [_parts(rounds, shares) for shares in (middle, *ends)]
    medians = _parts(clocked.median().to_frame().T, middle)
    for name in PARTS:
        row |= {
            name: medians[name].iloc[0],
            f"{name}_low": min(parts[name].min() for parts in extremes),
            f"{name}_high": max(parts[name].max() for parts in extremes),
        }
    of_trace = _per_step(traced, batch, [])["wall"].mean()
    row["tracing"] = of_trace / wall - 1
    if "gpu_ms" in traced and traced["gpu_ms"].notna().all():
        steps = traced["samples"].sum() / batch
        by_call = traced["gpu_ms"] / (traced["samples"] / batch)
        row |= {
            "gpu": traced["gpu_ms"].sum() / steps,
            "gpu_low": by_call.quantile(0.25),
            "gpu_high": by_call.quantile(0.75),
            "gpu_copy": traced["gpu_copy_ms"].sum() / steps,
            "gpu_busy": traced["gpu_ms"].sum() / steps / of_trace,
        }
    return row


def _per_step(calls: pd.DataFrame, batch: float, columns: list[str]) -> pd.DataFrame:
    """Returns milliseconds per step of a whole batch, call by call: `wall`, `columns`, `round`."""
    steps = calls["samples"] / batch  # a partial batch is part of a step
    seconds = calls.assign(wall=calls["ended_s"] - calls["began_s"])[["wall", *columns]]
    return seconds.div(steps, axis=0).mul(1e3).assign(round=calls["round"])


def _shares(traced: pd.DataFrame) -> list[dict[str, float]]:
    """Returns shares of the time in C++: over all traced calls, and their two quartiles."""
    runtime = traced["runtime_ms"]
    parts = {name: traced[f"{name}_ms"] for name in ("kernels", "input")}
    overall = {
        name: float(part.sum() / runtime.sum()) if runtime.sum() else np.nan
        for name, part in parts.items()
    }
    quartiles = [
        {name: float((part / runtime).quantile(quantile)) for name, part in parts.items()}
        for quantile in (0.25, 0.75)
    ]
    return [overall, *quartiles]


def _parts(clocked: pd.DataFrame, shares: dict[str, float]) -> dict[str, pd.Series]:
    """Returns the parts of each row's times, which add up to its `wall`."""
    runtime, api = clocked["runtime_s"], clocked["api_s"]
    kernels, waiting = runtime * shares["kernels"], runtime * shares["input"]
    return dict(
        zip(
            PARTS,
            (kernels, waiting, runtime - kernels - waiting, api, clocked["wall"] - runtime - api),
        )
    )


def top_kernels(kernels: pd.DataFrame, variant: str, count: int = 10) -> pd.DataFrame:
    """Returns the `count` types of kernel of a variant that take the most time.

    Columns: `kernel`, `device`, `total_ms` and `count` per step, `share` of all kernels' time.
    """
    own = kernels[kernels["variant"] == variant]
    sums = own.groupby(["kernel", "device"], sort=False)[["total_ms", "count"]].sum()
    steps = own.groupby("round")["steps"].first().sum()
    sums = (
        sums.assign(share=sums["total_ms"] / sums["total_ms"].sum())
        .sort_values("total_ms", ascending=False)
        .head(count)
    )
    sums[["total_ms", "count"]] /= steps
    return sums.reset_index()
