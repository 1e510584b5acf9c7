"""The API step_breakdown: where the wall time of a steady step goes.

Clocks at the timers (see `bench.measure.api_timers`) give the time in C++, in the API's own Python, and in the rest of it. A trace says
which share of the time in C++ was spent in kernels and waiting for input; what is left of it is the runtime's. Both sides of
every split so come from steps that nothing but a few clock readings disturbed; tracing, which makes steps longer, only
gives shares.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PARTS = ("kernels", "input", "runtime", "api", "python")
"""Kernels at work; ops waiting for the input pipeline; the executor and what else is C++; sessions, hooks, callbacks and
functions, in Python; all other Python."""


def step_breakdown(calls: pd.DataFrame) -> pd.DataFrame:
    """From the calls of the rounds, milliseconds a step, one row a variant.

    `wall` is the median of the calls without clocks that lie between those with; every part comes from the medians of those with,
    so that they add up to one, and has its range over rounds and over the quartiles of the traced calls' shares in `PART_low` and
    `PART_high`; `residual` is what the parts leave of `wall`; `tracing` how much longer steps were while traced, relative to
    `wall`. With a GPU, `gpu`, `gpu_copy` and `gpu_busy`, the share of the time in which at least one kernel ran on it.
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
    for name, value in _parts(clocked.median(), middle).items():
        row |= {
            name: value,
            f"{name}_low": min(parts[name].min() for parts in extremes),
            f"{name}_high": max(parts[name].max() for parts in extremes),
        }
    of_trace = _per_step(traced, batch, [])["wall"].mean()
    row["tracing"] = of_trace / wall - 1
    if "gpu_ms" in traced and traced["gpu_ms"].notna().all():
        steps = traced["samples"].sum() / batch
        row |= {
            "gpu": traced["gpu_ms"].sum() / steps,
            "gpu_copy": traced["gpu_copy_ms"].sum() / steps,
            "gpu_busy": traced["gpu_ms"].sum() / steps / of_trace,
        }
    return row


def _per_step(calls: pd.DataFrame, batch: float, columns: list[str]) -> pd.DataFrame:
    """Milliseconds a step of a whole batch, call by call, `wall` among them, and the call's round."""
    steps = calls["samples"] / batch  # a partial batch is part of a step
    seconds = calls.assign(wall=calls["ended_s"] - calls["began_s"])[["wall", *columns]]
    return seconds.div(steps, axis=0).mul(1e3).assign(round=calls["round"])


def _shares(traced: pd.DataFrame) -> list[dict[str, float]]:
    """Of the time in C++: over all traced calls, and the quartiles over them."""
    runtime = traced["runtime_ms"]
    parts = {name: traced[f"{name}_ms"] for name in ("kernels", "input")}
    overall = {
        name: part.sum() / runtime.sum() if runtime.sum() else np.nan
        for name, part in parts.items()
    }
    return [
        overall,
        *(
            {name: (part / runtime).quantile(quantile) for name, part in parts.items()}
            for quantile in (0.25, 0.75)
        ),
    ]


def _parts(
    clocked: pd.DataFrame | pd.Series, shares: dict[str, float]
) -> dict[str, pd.Series | float]:
    """The parts of the clocked times, which add up to their `wall`; of several rounds, or of one set of medians."""
    runtime, api = clocked["runtime_s"], clocked["api_s"]
    kernels, waiting = runtime * shares["kernels"], runtime * shares["input"]
    return dict(
        zip(
            PARTS,
            (kernels, waiting, runtime - kernels - waiting, api, clocked["wall"] - runtime - api),
        )
    )


def top_kernels(kernels: pd.DataFrame, variant: str, count: int = 10) -> pd.DataFrame:
    """The longest types of kernel of a variant: milliseconds and number a step, and share of all kernels' time."""
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
