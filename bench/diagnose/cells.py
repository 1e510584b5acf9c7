"""Diagnosis of a finished cell from its raw files."""

from __future__ import annotations

from pathlib import Path

from bench.diagnose.outputs import FinalState, explain_outputs
from bench.parity.result import Explanation
from bench.results.cells import CellRecord, StoredCell, read_stored_cell
from bench.results.outputs import class_outputs
from bench.task import UserError


def final_state(cell: StoredCell) -> FinalState:
    """Returns how a cell ended that trained to its end."""
    final = cell.outputs[cell.outputs["batch"] == "evaluation"]
    last = cell.record.evaluations[-1]
    return FinalState(
        class_outputs(final),
        final["label"].to_numpy(),
        last["loss"],
        last["accuracy"],
        last["gradient_norm"],
        cell.steps["loss"].to_numpy(),
    )


def diagnose_cell(path: Path) -> tuple[CellRecord, FinalState, list[Explanation]]:
    """Diagnoses a cell by the path of its record, FOLDER/cells/NAME.json.

    Returns:
        The cell's record, its final state, and what explains it, the likeliest cause first.

    Raises:
        RawFileError: the file is not the record of a cell, or a file of the cell is damaged.
        UserError: the cell did not finish.
    """
    folder, name = path.parent.parent, path.stem
    cell = read_stored_cell(folder, name)
    record = cell.record
    if not record.measured:
        raise UserError(
            f"{path}: the cell did not finish: {record.reason}; its log is {folder / record.log}"
        )
    final = final_state(cell)
    return record, final, explain_outputs(final)
