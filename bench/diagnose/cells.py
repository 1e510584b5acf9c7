"""A finished cell, diagnosed by its raw files."""

from __future__ import annotations

from pathlib import Path

from bench.diagnose.outputs import FinalState, explain_outputs
from bench.parity.result import Explanation
from bench.results import cells as raw
from bench.task import UserError


def read_ended(folder: Path, record: raw.CellRecord) -> FinalState:
    """How a cell of a result folder ended."""
    outputs = raw.read_outputs(folder, record.name)
    final = outputs[outputs["batch"] == "evaluation"]
    last = record.evaluations[-1]
    return FinalState(
        raw.class_outputs(final),
        final["label"].to_numpy(),
        last["loss"],
        last["accuracy"],
        last["gradient_norm"],
        raw.read_steps(folder, record.name)["loss"].to_numpy(),
    )


def diagnose_cell(path: Path) -> tuple[raw.CellRecord, FinalState, list[Explanation]]:
    """A cell by the path of its record, FOLDER/cells/NAME.json.

    Raises:
        RawFileError: it is none, or one of its files is damaged.
        UserError: it did not finish.
    """
    folder, name = path.parent.parent, path.stem
    record = raw.read_cell(folder, name)
    if not record.measured:
        raise UserError(
            f"{path}: the cell did not finish: {record.reason}; its log is {folder / record.log}"
        )
    ended = read_ended(folder, record)
    return record, ended, explain_outputs(ended)
