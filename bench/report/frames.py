"""The raw files of a result folder as two data frames: a row a cell, and a row an evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bench.measure import raw
from bench.measure.saturation import saturated_share

RESULT_COLUMNS = [
    "implementation", "dataset", "loss", "seed", "status", "accuracy", "final_loss", "true_positives",
    "true_negatives", "false_positives", "false_negatives", "global_step", "samples_per_second", "step_ms",
    "step_ms_q1", "step_ms_q3", "device_ms_per_step", "gpu_ms_per_step", "peak_rss_mib", "startup_s", "train_s",
    "wall_s", "steps", "parameters", "code_lines", "gradient_norm", "saturation", "reason", "log"]

CURVE_COLUMNS = [
    "implementation", "dataset", "loss", "seed", "epoch", "global_step", "accuracy", "evaluation_loss", "train_loss",
    "true_positives", "true_negatives", "false_positives", "false_negatives", "gradient_norm", "saturation"]


def results_frame(folder: Path) -> pd.DataFrame:
    """One row a cell, `RESULT_COLUMNS`, failed ones included.

    `samples_per_second` and `step_ms` (the median, with its quartiles) are of the steady steps alone; the time in
    kernels is the median over traced steps; `startup_s`
    runs from the fork to the end of the first step, `train_s` from the beginning of the first step to the end of
    the last evaluation, `wall_s` from the fork to the last file written.
    """
    rows = [_result_row(folder, record) for record in raw.read_cells(folder)]
    frame = pd.DataFrame(rows, columns=RESULT_COLUMNS)
    counts = ["true_positives", "true_negatives", "false_positives", "false_negatives", "global_step", "steps",
              "parameters", "code_lines"]
    return in_order(frame.astype(dict.fromkeys(counts, "Int64")))


def curves_frame(folder: Path) -> pd.DataFrame:
    """One row an evaluation of a finished cell, `CURVE_COLUMNS`; `train_loss` is the mean over the epoch's samples."""
    rows = [row for record in raw.read_cells(folder) if record.status == "ok" for row in _curve_rows(folder, record)]
    return in_order(pd.DataFrame(rows, columns=CURVE_COLUMNS))


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order in which people think of them: our three APIs from low to high, small before large."""
    orders = {"implementation": ["lowlevel", "estimator", "keras"], "dataset": ["small", "large"],
              "loss": ["logits", "activated"]}

    def rank(column: pd.Series) -> pd.Series:
        known = orders.get(column.name)
        return column.map(lambda name: (known.index(name), "") if name in known else (9, name)) if known else column

    keys = [key for key in ("dataset", "loss", "implementation", "seed", "epoch") if key in frame]
    return frame.sort_values(keys, key=rank, kind="stable").reset_index(drop=True)


def _identity(record: raw.CellRecord) -> dict:
    return {name: getattr(record, name) for name in ("implementation", "dataset", "loss", "seed")}


def _result_row(folder: Path, record: raw.CellRecord) -> dict:
    row = {**_identity(record), "status": record.status, "reason": record.reason, "log": record.log,
           "wall_s": record.ended_s - record.forked_s}
    if record.status != "ok":
        return row
    steps = raw.read_steps(folder, record.name)
    steady = steps[steps["kind"] == "steady"]
    quartiles = steady["seconds"].quantile([0.25, 0.5, 0.75]).to_numpy() * 1e3
    last = record.evaluations[-1]
    return {
        **row,
        **{name: last[name] for name in ("accuracy", "true_positives", "true_negatives", "false_positives",
                                         "false_negatives", "global_step", "gradient_norm")},
        "final_loss": last["loss"],
        "samples_per_second": steady["samples"].sum() / steady["seconds"].sum() if len(steady) else np.nan,
        "step_ms_q1": quartiles[0], "step_ms": quartiles[1], "step_ms_q3": quartiles[2],
        "device_ms_per_step": _median(record.device_ms),
        "gpu_ms_per_step": _median(record.gpu_ms),
        "peak_rss_mib": record.peak_rss_mib,
        "startup_s": steps["ended_s"].iloc[0] - record.forked_s,
        "train_s": last["ended_s"] - steps["began_s"].iloc[0],
        "steps": len(steps),
        "parameters": record.parameters,
        "code_lines": record.code_lines,
        "saturation": saturation_by_epoch(folder, record).iloc[-1],
    }


def _median(values: list[float] | None) -> float:
    return float(np.median(values)) if values else np.nan


def _curve_rows(folder: Path, record: raw.CellRecord) -> list[dict]:
    steps = raw.read_steps(folder, record.name)
    sums = steps.assign(total=steps["loss"] * steps["samples"]).groupby("epoch")[["total", "samples"]].sum()
    saturation = saturation_by_epoch(folder, record)
    return [{
        **_identity(record), **evaluation, "evaluation_loss": evaluation["loss"], "loss": record.loss,
        "train_loss": sums["total"][evaluation["epoch"]] / sums["samples"][evaluation["epoch"]],
        "saturation": saturation[evaluation["epoch"]],
    } for evaluation in record.evaluations]


def saturation_by_epoch(folder: Path, record: raw.CellRecord) -> pd.Series:
    """Share of saturated outputs of the fixed batch, by epoch."""
    outputs = raw.read_outputs(folder, record.name)
    probes = outputs[outputs["batch"] == "probe"]
    return probes.groupby("epoch")[["output_0", "output_1"]].apply(
        lambda values: saturated_share(values.to_numpy(), record.loss))
