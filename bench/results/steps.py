"""The training calls of a cell: steps/NAME.csv, written from `bench.measure.recorder.Recorder`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.durable import write_text
from bench.results.files import parse_table, read_table_bytes
from bench.results.plausibility import check_calls

COLUMNS = {
    "global_step": "int64",
    "epoch": "int64",
    "loss": "float64",
    "steps": "int64",
    "samples": "int64",
    "began_s": "float64",
    "ended_s": "float64",
    "kind": "str",
}


def steps_file(name: str) -> str:
    """Returns the file of a cell's training calls, relative to the result folder."""
    return f"steps/{name}.csv"


def write_steps(folder: Path, name: str, steps: list[dict]) -> None:
    """Writes the training calls of a cell, one row each."""
    write_text(folder / steps_file(name), pd.DataFrame(steps).to_csv(index=False))


def read_steps(folder: Path, name: str, content: bytes | None = None) -> pd.DataFrame:
    """Returns the training calls of a cell. The column `seconds` is the duration of each.

    Args:
        folder: the result folder.
        name: the cell.
        content: the bytes of the file, if they were read before.

    Raises:
        RawFileError: the table is missing, damaged or not plausible.
    """
    path = folder / steps_file(name)
    steps = parse_table(path, read_table_bytes(path) if content is None else content, COLUMNS)
    check_calls(steps, path)
    return steps.assign(seconds=steps["ended_s"] - steps["began_s"])
