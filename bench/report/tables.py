"""Summary tables: medians over cells, each with its range; nothing here that the frames do not hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from bench.measure import raw
from bench.measure.statistics import MARGIN, Ratio, ratio_of_medians
from bench.report.frames import in_order

RANGE_NOTE = (f"Median of the cells, [lowest, highest]. Relative throughput: ratio of medians, [95 % interval by bootstrap over "
              f"rounds]; equivalent within a margin of {MARGIN:.0%}.")
NO_GPU_NOTE = "No GPU was there: `gpu_ms_per_step` is empty in `results.csv`, and device time is CPU time in kernels."
SECOND_STEP = "second step, relative"
QUICK_NOTE = "A --quick run: too few samples and steps for its accuracies and times to mean anything."
GPU_NOTE = "Device time is time in kernels on the GPU."


def spread(values: pd.Series, digits: int | Callable[[float], str]) -> str:
    """`median [lowest, highest]`, or a dash where nothing was measured; with so many decimals, or as a function says."""
    values = values.dropna().astype(float)
    if values.empty:
        return "-"
    show = digits if callable(digits) else f"{{:,.{digits}f}}".format
    return f"{show(values.median())} [{show(values.min())}, {show(values.max())}]"


def power(value: float) -> str:
    """A size for which the power of ten matters; an exact zero is said to be one."""
    return "0" if value == 0 else f"{value:.1e}"


def training_table(results: pd.DataFrame) -> pd.DataFrame:
    """Does it train: a row per dataset, loss and implementation, over seeds."""
    rows = []
    for (dataset, loss, implementation), cells in _groups(results, ["dataset", "loss", "implementation"]):
        ok = cells[cells["status"] == "ok"]
        rows.append({
            "dataset": dataset, "loss": loss, "implementation": implementation, "cells ok": f"{len(ok)}/{len(cells)}",
            "accuracy": spread(ok["accuracy"], 3), "final loss": spread(ok["final_loss"], 4),
            "gradient norm": spread(ok["gradient_norm"], power), "saturated outputs": spread(ok["saturation"], 2),
        })
    return pd.DataFrame(rows)


def cost_table(results: pd.DataFrame) -> pd.DataFrame:
    """What each API costs: a row per dataset and implementation, over losses and seeds.

    `relative` is the ratio of medians to the reference's, with its 95 % interval over rounds and a verdict; see
    `bench.measure.statistics`.
    """
    ok = results[results["status"] == "ok"]
    rows = []
    for (dataset, implementation), cells in _groups(ok, ["dataset", "implementation"]):
        row = {
            "dataset": dataset, "implementation": implementation, "cells": len(cells),
            "samples/s": spread(cells["samples_per_second"], 0),
            f"relative to {reference(ok)}": relative_text(ok, dataset, implementation),
            "step ms": spread(cells["step_ms"], 2), "device ms/step": spread(cells["device_ms_per_step"], 2),
            "GPU ms/step": spread(cells["gpu_ms_per_step"], 2), "startup s": spread(cells["startup_s"], 2),
            "peak MiB": spread(cells["peak_rss_mib"], 0), "code lines": cells["code_lines"].iloc[0],
        }
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if has_gpu(results) else table.drop(columns="GPU ms/step", errors="ignore")


def has_gpu(results: pd.DataFrame) -> bool:
    """Whether any cell was measured on a GPU."""
    return bool(results["gpu_ms_per_step"].notna().any())


def reference(results: pd.DataFrame) -> str:
    """The implementation that others are compared with: the lowest-level one measured."""
    return in_order(results)["implementation"].iloc[0] if len(results) else ""


def relative_throughput(ok: pd.DataFrame, dataset: str, implementation: str) -> Ratio | None:
    """Throughput over the reference's; a round is a pair of cells of equal loss and seed, which ran one after the other.
    None if there is no such pair."""
    cells = ok[ok["dataset"] == dataset].set_index(["loss", "seed"])
    own = cells.loc[cells["implementation"] == implementation, "samples_per_second"].dropna()
    base = cells.loc[cells["implementation"] == reference(ok), "samples_per_second"].dropna()
    rounds = own.index.intersection(base.index)
    return ratio_of_medians(own[rounds].to_numpy(), base[rounds].to_numpy()) if len(rounds) else None


def relative_text(ok: pd.DataFrame, dataset: str, implementation: str) -> str:
    """A relative throughput with its interval and verdict; without interval where there are too few rounds for one."""
    ratio = relative_throughput(ok, dataset, implementation)
    if implementation == reference(ok):
        return "1"
    if ratio is None:
        return "-"
    if math.isnan(ratio.low):
        return f"{ratio.value:.2f} (rounds: {ratio.rounds}, too few for an interval)"
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] {ratio.verdict()}"


def agreement_table(folder: Path, results: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """What difference remains between implementations of equal seeds: the largest over seeds, in absolute terms but
    for the second step's loss, the first that an update has passed through, whose size is anybody's guess."""
    ok = results[results["status"] == "ok"]
    base = reference(ok)
    rows = []
    for (dataset, loss, implementation), cells in _groups(ok, ["dataset", "loss", "implementation"]):
        pairs = [_differences(folder, curves, dataset, loss, seed, base, implementation) for seed in cells["seed"]
                 if implementation != base and _measured(ok, base, dataset, loss, seed)]
        if pairs:
            rows.append({"dataset": dataset, "loss": loss, "implementation": f"{implementation} - {base}",
                         "seeds": len(pairs), **pd.DataFrame(pairs).max().to_dict()})
    columns = ["dataset", "loss", "implementation", "seeds", "first step", SECOND_STEP, "first epoch", "evaluations",
               "accuracy"]
    return pd.DataFrame(rows, columns=columns)


def _differences(folder: Path, curves: pd.DataFrame, dataset, loss, seed, base, implementation) -> dict:
    steps = [raw.read_steps(folder, f"{name}-{dataset}-{loss}-{seed}") for name in (base, implementation)]
    losses = np.abs(steps[0]["loss"] - steps[1]["loss"])
    cells = curves[(curves["dataset"] == dataset) & (curves["loss"] == loss) & (curves["seed"] == seed)]
    own, other = (cells[cells["implementation"] == name].set_index("epoch") for name in (base, implementation))
    return {
        "first step": losses.iloc[0],
        SECOND_STEP: (losses / np.abs(steps[0]["loss"])).iloc[1] if len(losses) > 1 else 0.0,
        "first epoch": losses[steps[0]["epoch"] == 1].max(),
        "evaluations": (own["evaluation_loss"] - other["evaluation_loss"]).abs().max(),
        "accuracy": (_right(own) - _right(other)).abs().max(),
    }


def _right(cells: pd.DataFrame) -> pd.Series:
    """Accuracy from the counts: the APIs report theirs in float32."""
    counts = cells[["true_positives", "true_negatives", "false_positives", "false_negatives"]]
    return (counts["true_positives"] + counts["true_negatives"]) / counts.sum(axis=1)


def _measured(ok: pd.DataFrame, implementation: str, dataset: str, loss: str, seed: int) -> bool:
    return bool(((ok["implementation"] == implementation) & (ok["dataset"] == dataset)
                 & (ok["loss"] == loss) & (ok["seed"] == seed)).any())


def as_text(table: pd.DataFrame, style: str) -> str:
    """A table in one of tabulate's styles; differences between runs are shown to two digits."""
    shown = table.apply(lambda column: column.map(power) if column.dtype == float else column)
    return tabulate(shown, headers="keys", tablefmt=style, showindex=False, disable_numparse=True)


def _groups(frame: pd.DataFrame, keys: list[str]):
    return frame.groupby(keys, sort=False) if len(frame) else []
