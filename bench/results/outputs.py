"""The network's outputs that a cell stores: outputs/NAME.csv.

The file holds the outputs for the fixed batch after every epoch (`batch` is `probe`), and for every
sample of the evaluation split after the last epoch (`batch` is `evaluation`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bench.durable import write_text
from bench.results.files import RawFileError, parse_table, read_table_bytes

COLUMNS = {"batch": "str", "epoch": "int64", "sample": "int64", "label": "int64"}
"""The columns before the outputs, which are `output_0`, `output_1`, ..., one per class."""

MOST_CLASSES = 1000
"""Largest number of classes that is read."""


def outputs_file(name: str) -> str:
    """Returns the file of a cell's outputs, relative to the result folder."""
    return f"outputs/{name}.csv"


def outputs_table(batch: str, epoch: int, labels: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """Returns rows of an outputs file.

    Args:
        batch: `probe` or `evaluation`.
        epoch: the epoch after which the network returned the outputs, from 1.
        labels: int [samples].
        outputs: float32 [samples, classes].
    """
    columns = {f"output_{column}": outputs[:, column] for column in range(outputs.shape[1])}
    return pd.DataFrame(
        {
            "batch": batch,
            "epoch": epoch,
            "sample": np.arange(len(labels)),
            "label": labels,
            **columns,
        }
    )


def write_outputs(folder: Path, name: str, tables: list[pd.DataFrame]) -> None:
    """Writes the outputs of a cell, from tables of `outputs_table`."""
    text = pd.concat(tables).to_csv(index=False, float_format="%.9g")
    write_text(folder / outputs_file(name), text)


def read_outputs(folder: Path, name: str, content: bytes | None = None) -> pd.DataFrame:
    """Returns the outputs of a cell in the columns of `outputs_table`, outputs as float64.

    Args:
        folder: the result folder.
        name: the cell.
        content: the bytes of the file, if they were read before.

    Raises:
        RawFileError: the table is missing or damaged, has fewer than two columns of outputs, or
            has a label that is not one of its classes.
    """
    path = folder / outputs_file(name)
    outputs = parse_table(
        path,
        read_table_bytes(path) if content is None else content,
        COLUMNS,
        {f"output_{number}": "float64" for number in range(MOST_CLASSES)},
    )
    classes = len(outputs.columns) - len(COLUMNS)
    if classes < 2 or f"output_{classes - 1}" not in outputs:
        raise RawFileError(path, "has no column of outputs for every class")
    if not outputs["label"].between(0, classes - 1).all():
        raise RawFileError(path, "has labels of no class")
    return outputs


def class_outputs(outputs: pd.DataFrame) -> np.ndarray:
    """Returns the outputs in rows of `read_outputs`: float64 [rows, classes]."""
    return outputs.filter(regex="^output_").to_numpy()
