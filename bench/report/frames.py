"""The cells of a run as two data frames: one row per cell, and one row per evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from bench.implementations import CLUSTER
from bench.measure.saturation import saturated_share
from bench.measure.scaling import bytes_per_step
from bench.results.cells import CellRecord, StoredCell
from bench.results.outputs import class_outputs

RESULT_COLUMNS = [
    "implementation",
    "profile",
    "dataset",
    "outputs",
    "seed",
    "status",
    "workers",
    "accuracy",
    "final_loss",
    "true_positives",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "global_step",
    "samples_per_second",
    "step_ms",
    "step_ms_q1",
    "step_ms_q3",
    "of_floor",
    "device_ms_per_step",
    "gpu_ms_per_step",
    "peak_rss_mib",
    "startup_s",
    "graph_s",
    "first_step_s",
    "evaluation_s",
    "checkpoint_s",
    "checkpoint_kib",
    "train_s",
    "wall_s",
    "steps",
    "parameters",
    "code_lines",
    "statements",
    "api_names",
    "gradient_norm",
    "saturation",
    "scaling_efficiency",
    "bytes_per_step",
    "global_batch",
    "parameter_servers",
    "reason",
    "log",
]

CURVE_COLUMNS = [
    "implementation",
    "profile",
    "dataset",
    "outputs",
    "seed",
    "epoch",
    "global_step",
    "accuracy",
    "evaluation_loss",
    "train_loss",
    "true_positives",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "gradient_norm",
    "saturation",
]


def results_frame(cells: Iterable[StoredCell], throughput: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per cell, `RESULT_COLUMNS`, also for cells that are not ok.

    `samples_per_second` and `step_ms` (the median, with its quartiles) come from the cell's own
    steady steps. `of_floor` and the time in kernels are those of the variant, from the rounds.
    `graph_s` runs from the call of `train` to its first step. `evaluation_s` and `checkpoint_s` are
    medians over epochs, and an evaluation includes its checkpoint. `startup_s` runs from the fork
    to the end of the first step, `train_s` from the beginning of the first step to the end of the
    last evaluation, `wall_s` from the fork to the last file written. `global_batch` is that of all
    workers together.

    Args:
        cells: the cells.
        throughput: that of the rounds, one row per variant.
    """
    rows = [_result_row(cell, throughput) for cell in cells]
    frame = pd.DataFrame(rows, columns=RESULT_COLUMNS)
    counts = [
        "workers",
        "global_batch",
        "parameter_servers",
        "true_positives",
        "true_negatives",
        "false_positives",
        "false_negatives",
        "global_step",
        "steps",
        "parameters",
        "code_lines",
        "statements",
        "api_names",
    ]
    return _with_scaling(in_order(frame.astype(dict.fromkeys(counts, "Int64"))))


def _with_scaling(results: pd.DataFrame) -> pd.DataFrame:
    """Adds `scaling_efficiency` and `bytes_per_step` of the cells on clusters.

    The efficiency is the throughput over the number of workers times the throughput of one worker
    with the same seed.
    """
    clusters = results["profile"].map(is_cluster)
    keys = pd.MultiIndex.from_frame(results[["implementation", "dataset", "outputs", "seed"]])
    one = results[results["profile"] == f"{CLUSTER}1"].set_index(
        ["implementation", "dataset", "outputs", "seed"]
    )["samples_per_second"]
    efficiency = (
        results["samples_per_second"].to_numpy()
        / results["workers"].to_numpy(float)
        / one.reindex(keys).to_numpy()
    )
    exchanged = [
        bytes_per_step(row["parameters"], row["workers"], row["parameter_servers"])
        if row["steps"] is not pd.NA
        else np.nan
        for _, row in results.iterrows()
    ]
    return results.assign(
        scaling_efficiency=np.where(clusters, efficiency, np.nan),
        bytes_per_step=np.where(clusters, exchanged, np.nan),
    )


def curves_frame(cells: Iterable[StoredCell]) -> pd.DataFrame:
    """Returns one row per evaluation of a measured cell, `CURVE_COLUMNS`.

    `train_loss` is the mean over the epoch's samples.
    """
    rows = [row for cell in cells if cell.record.measured for row in _curve_rows(cell)]
    return in_order(pd.DataFrame(rows, columns=CURVE_COLUMNS))


def is_cluster(profile: str) -> bool:
    """Whether a profile is that of a cluster, of one worker or more."""
    return profile.startswith(CLUSTER)


def groups(frame: pd.DataFrame, keys: list[str]) -> Iterable[tuple[Any, pd.DataFrame]]:
    """Returns the rows that have equal values in the columns `keys`, behind a tuple of the values.

    The groups are in the order of their first rows.
    """
    return frame.groupby(keys, sort=False) if len(frame) else []


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows sorted: our three APIs from low to high level, small before large."""
    orders = {
        "implementation": ["lowlevel", "estimator", "keras"],
        "profile": ["default", "tuned"],
        "dataset": ["small", "large"],
        "outputs": ["logits", "activated"],
    }

    def rank(column: pd.Series) -> pd.Series:
        known = orders.get(str(column.name))
        return (
            column.map(lambda name: (known.index(name), "") if name in known else (9, name))
            if known
            else column
        )

    keys = [
        key
        for key in ("dataset", "outputs", "implementation", "profile", "seed", "epoch")
        if key in frame
    ]
    return frame.sort_values(keys, key=rank, kind="stable").reset_index(drop=True)


def identity(record: CellRecord) -> dict:
    """Returns the columns that tell a cell from others."""
    return {
        name: getattr(record, name)
        for name in ("implementation", "profile", "dataset", "outputs", "seed")
    }


def _result_row(cell: StoredCell, throughput: pd.DataFrame) -> dict:
    record, steps = cell.record, cell.steps
    row = {
        **identity(record),
        "status": record.status,
        "reason": record.reason,
        "log": record.log,
        "workers": record.workers,
        "parameter_servers": record.parameter_servers,
        "wall_s": record.ended_s - record.forked_s,
    }
    if not record.measured:
        return row
    steady = steps[steps["kind"] == "steady"]
    quartiles = (steady["seconds"] / steady["steps"]).quantile([0.25, 0.5, 0.75]).to_numpy() * 1e3
    variant = _variant(throughput, record)
    last = record.evaluations[-1]
    return {
        **row,
        **{
            name: last[name]
            for name in (
                "accuracy",
                "true_positives",
                "true_negatives",
                "false_positives",
                "false_negatives",
                "global_step",
                "gradient_norm",
            )
        },
        "final_loss": last["loss"],
        "samples_per_second": steady["samples"].sum() / steady["seconds"].sum()
        if len(steady)
        else np.nan,
        "step_ms_q1": quartiles[0],
        "step_ms": quartiles[1],
        "step_ms_q3": quartiles[2],
        "of_floor": variant.get("of_floor", np.nan),
        "device_ms_per_step": variant.get("gpu_ms", variant.get("kernels_ms", np.nan)),
        "gpu_ms_per_step": variant.get("gpu_ms", np.nan),
        "peak_rss_mib": record.peak_rss_mib,
        "startup_s": steps["ended_s"].iloc[0] - record.forked_s,
        "graph_s": record.began_s - record.trained_s,
        "first_step_s": steps["seconds"].iloc[0],
        "evaluation_s": np.median([row["ended_s"] - row["began_s"] for row in record.evaluations]),
        "checkpoint_s": np.median(record.checkpoints) if record.checkpoints else np.nan,
        "checkpoint_kib": record.checkpoint_bytes / 1024 if record.checkpoint_bytes else np.nan,
        "train_s": last["ended_s"] - steps["began_s"].iloc[0],
        "steps": int(steps["steps"].sum()),
        "global_batch": record.batch_size,
        "parameters": record.parameters,
        "code_lines": record.code_lines,
        "statements": record.statements,
        "api_names": record.api_names,
        "saturation": saturation_by_epoch(cell).iloc[-1],
    }


def _variant(throughput: pd.DataFrame, record: CellRecord) -> dict:
    """Returns the row of a cell's variant, or nothing."""
    if not len(throughput):
        return {}
    own = throughput[
        (throughput["dataset"] == record.dataset)
        & (throughput["implementation"] == record.implementation)
        & (throughput["profile"] == record.profile)
    ]
    return own.iloc[0].dropna().to_dict() if len(own) else {}


def _curve_rows(cell: StoredCell) -> list[dict]:
    record, steps = cell.record, cell.steps
    sums = (
        steps.assign(total=steps["loss"] * steps["samples"])
        .groupby("epoch")[["total", "samples"]]
        .sum()
    )
    saturation = saturation_by_epoch(cell)
    return [
        {
            **identity(record),
            **evaluation,
            "evaluation_loss": evaluation["loss"],
            "outputs": record.outputs,
            "train_loss": sums["total"][evaluation["epoch"]] / sums["samples"][evaluation["epoch"]],
            "saturation": saturation[evaluation["epoch"]],
        }
        for evaluation in record.evaluations
    ]


def saturation_by_epoch(cell: StoredCell) -> pd.Series:
    """Returns the share of saturated outputs of the fixed batch, by epoch."""
    probes = cell.outputs[cell.outputs["batch"] == "probe"]
    return pd.Series(
        {
            epoch: saturated_share(class_outputs(rows), cell.record.outputs)
            for epoch, rows in probes.groupby("epoch")
        }
    )
