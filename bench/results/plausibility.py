"""What raw files must hold, beyond right types, for a report to be derived from them; else a `RawFileError` is raised."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from bench.results.files import RawFileError, read_table
from bench.results.typed import as_fields
from bench.task import Evaluation

EVALUATION = {
    "epoch": "int",
    **{entry.name: entry.type for entry in fields(Evaluation)},
    "gradient_norm": "float",
    "began_s": "float",
    "ended_s": "float",
}
"""The fields of an evaluation in a cell's record."""

STEP_COLUMNS = {
    "global_step": "int64",
    "epoch": "int64",
    "loss": "float64",
    "steps": "int64",
    "samples": "int64",
    "began_s": "float64",
    "ended_s": "float64",
    "kind": "str",
}
OUTPUT_COLUMNS = {"batch": "str", "epoch": "int64", "sample": "int64", "label": "int64"}
MOST_CLASSES = 1000
"""Of a cell's tables."""


def check_log(log: str, path: Path) -> None:
    """A log lies within the result folder."""
    if PurePath(log).is_absolute() or ".." in PurePath(log).parts:
        raise RawFileError(path, f"names a log outside its folder: {log}")


def check_measured(record, steps: pd.DataFrame, outputs: pd.DataFrame, path: Path) -> None:
    """The `bench.results.cells.CellRecord` of a cell that finished has all that such a cell has, and its tables agree with it; its
    evaluations are left with their own fields alone."""
    identity = (record.implementation, record.profile, record.dataset, record.outputs, record.seed)
    if record.name != "-".join(map(str, identity)):
        raise RawFileError(path, "is named otherwise than its fields say")
    if None in (record.parameters, record.code_lines, record.statements, record.api_names):
        raise RawFileError(path, "lacks counts of a cell that finished")
    record.evaluations = [
        as_fields(EVALUATION, evaluation, path) for evaluation in record.evaluations
    ]
    epochs = [evaluation["epoch"] for evaluation in record.evaluations]
    if not epochs or epochs != list(range(1, record.epochs + 1)):
        raise RawFileError(path, "has other evaluations than one an epoch")
    if not all(0 <= evaluation["accuracy"] <= 1 for evaluation in record.evaluations):
        raise RawFileError(path, "has an accuracy that is none")
    probed = outputs.loc[outputs["batch"] == "probe", "epoch"]
    if not (
        set(epochs) <= set(steps["epoch"])
        and set(epochs) <= set(probed)
        and (outputs["batch"] == "evaluation").any()
    ):
        raise RawFileError(path, "has an epoch whose steps or outputs are missing")


def check_calls(calls: pd.DataFrame, path: Path) -> None:
    """Every call took time, and trained on something."""
    seconds, sizes = calls["ended_s"] - calls["began_s"], calls[["steps", "samples"]]
    if not (
        np.isfinite(seconds) & (seconds > 0) & (np.isfinite(sizes) & (sizes > 0)).all(axis=1)
    ).all():
        raise RawFileError(
            path, "has a call without steps or samples, or that ends before it began"
        )


def steps_of(path: Path) -> pd.DataFrame:
    """The table of a cell's calls."""
    steps = read_table(path, STEP_COLUMNS)
    check_calls(steps, path)
    return steps


def outputs_of(path: Path) -> pd.DataFrame:
    """The table of a cell's outputs: two columns of them or more, one a class, and labels of these classes."""
    outputs = read_table(
        path, OUTPUT_COLUMNS, {f"output_{number}": "float64" for number in range(MOST_CLASSES)}
    )
    classes = len(outputs.columns) - len(OUTPUT_COLUMNS)
    if classes < 2 or f"output_{classes - 1}" not in outputs:
        raise RawFileError(path, "has no column of outputs for every class")
    if not outputs["label"].between(0, classes - 1).all():
        raise RawFileError(path, "has labels of no class")
    return outputs
