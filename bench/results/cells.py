"""Cells: one training each, of one implementation, profile, dataset, kind of outputs and seed.

A cell is a record, cells/NAME.json, and, once it has trained to its end, a table of its training
calls and one of its outputs. The record is written last, and holds the digests of both tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import pandas as pd

from bench.durable import write_text
from bench.results.digests import digests, read_checked
from bench.results.files import RawFileError, checked_json, left_out
from bench.results.layout import FORMAT
from bench.results.outputs import outputs_file, read_outputs
from bench.results.plausibility import check_log
from bench.results.steps import read_steps, steps_file
from bench.results.typed import as_fields, as_record
from bench.task import Evaluation

STATUSES = (
    "ok",
    "failed",
    "timeout",
    "out_of_memory",
    "diverged",
    "unavailable",
    "interrupted",
)
"""How a cell or a variant ended.

ok: it was measured. failed: an exception or a signal ended it. timeout, out_of_memory: it took more
time or memory than it may, or found no memory. diverged: a loss is not finite. unavailable: a
module that it needs is not installed. interrupted: Ctrl-C.
"""

EVALUATION = {
    "epoch": "int",
    **{entry.name: str(entry.type) for entry in fields(Evaluation)},
    "gradient_norm": "float",
    "began_s": "float",
    "ended_s": "float",
}
"""The fields of an evaluation in a record, with their types."""


@dataclass
class CellRecord:
    """What is known of one cell, apart from its tables.

    `status` is one of `STATUSES`, and `reason` says in one line why it is not `ok`. `fingerprint`
    is the hash of all that decides the result. `data` is the digest of the dataset. `batch_size`
    is that of all `workers` together.

    `forked_s`, `ended_s` and the times in `evaluations` are seconds on the monotonic clock.
    `trained_s` is when `train` was called, and `began_s` when its first step began. `checkpoints`
    has the seconds that writing each took, `checkpoint_bytes` the size of the last. `sha256` has
    the digests of the cell's tables.
    """

    name: str
    implementation: str
    profile: str
    dataset: str
    outputs: str
    seed: int
    workers: int = 1
    parameter_servers: int = 0
    status: str = "failed"
    reason: str = ""
    log: str = ""
    fingerprint: str = ""
    data: str = ""
    epochs: int = 0
    length: int = 0
    batch_size: int = 0
    parameters: int | None = None
    code_lines: int | None = None
    statements: int | None = None
    api_names: int | None = None
    forked_s: float = 0.0
    trained_s: float = 0.0
    began_s: float = 0.0
    ended_s: float = 0.0
    peak_rss_mib: float | None = None
    checkpoints: list[float] = field(default_factory=list)
    checkpoint_bytes: int | None = None
    evaluations: list[dict] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether it trained to its end, so that its tables are there."""
        return bool(self.sha256)


@dataclass(frozen=True)
class StoredCell:
    """A cell as it was read: its record, training calls and outputs.

    The two tables are empty if the cell did not train to its end.
    """

    record: CellRecord
    steps: pd.DataFrame
    outputs: pd.DataFrame


def cell_name(implementation: str, profile: str, dataset: str, outputs: str, seed: int) -> str:
    """Returns the name of a cell."""
    return f"{implementation}-{profile}-{dataset}-{outputs}-{seed}"


def record_file(name: str) -> str:
    """Returns the file of a cell's record, relative to the result folder."""
    return f"cells/{name}.json"


def cell_files(name: str) -> tuple[str, ...]:
    """Returns the files of a cell relative to the result folder, its record first."""
    return record_file(name), steps_file(name), outputs_file(name)


def write_cell(folder: Path, record: CellRecord) -> None:
    """Writes the record. Call it last: a cell counts as measured once its record is there."""
    _, *tables = cell_files(record.name)
    record.sha256 = digests(folder, tables if record.evaluations else ())
    write_text(
        folder / record_file(record.name),
        json.dumps({"format": FORMAT, **asdict(record)}, indent=1),
    )


def read_cell(folder: Path, name: str) -> CellRecord:
    """Returns the record of a cell; all its files are checked. See `read_stored_cell`."""
    return read_stored_cell(folder, name).record


def read_stored_cell(folder: Path, name: str) -> StoredCell:
    """Reads a cell.

    Raises:
        FileNotFoundError: there is no record.
        RawFileError: one of its files is damaged, of another version, or of another cell.
    """
    path = folder / record_file(name)
    content = checked_json(path)
    del content["format"]
    record = as_record(CellRecord, content, path)
    if record.name != name:
        raise RawFileError(path, f"holds the cell {record.name}")
    check_log(record.log, path)
    contents = read_checked(folder, record.sha256, (steps_file(name), outputs_file(name)))
    if record.status != "ok" and not record.measured:
        return StoredCell(record, pd.DataFrame(), pd.DataFrame())
    steps = read_steps(folder, name, contents.pop(steps_file(name), None))
    outputs = read_outputs(folder, name, contents.pop(outputs_file(name), None))
    _check_measured(record, steps, outputs, path)
    return StoredCell(record, steps, outputs)


def _check_measured(
    record: CellRecord, steps: pd.DataFrame, outputs: pd.DataFrame, path: Path
) -> None:
    """Checks that a cell that trained to its end is complete, and that its tables agree with it.

    Its evaluations keep the fields of `EVALUATION` alone.
    """
    identity = (record.implementation, record.profile, record.dataset, record.outputs, record.seed)
    if record.name != cell_name(*identity):
        raise RawFileError(path, "is named otherwise than its fields say")
    if None in (record.parameters, record.code_lines, record.statements, record.api_names):
        raise RawFileError(path, "lacks counts of a cell that finished")
    record.evaluations = [
        as_fields(EVALUATION, evaluation, path) for evaluation in record.evaluations
    ]
    epochs = [evaluation["epoch"] for evaluation in record.evaluations]
    if not epochs or epochs != list(range(1, record.epochs + 1)):
        raise RawFileError(path, "does not have one evaluation per epoch")
    if not all(0 <= evaluation["accuracy"] <= 1 for evaluation in record.evaluations):
        raise RawFileError(path, "has an accuracy outside of 0 to 1")
    probed = outputs.loc[outputs["batch"] == "probe", "epoch"]
    if not (
        set(epochs) <= set(steps["epoch"])
        and set(epochs) <= set(probed)
        and (outputs["batch"] == "evaluation").any()
    ):
        raise RawFileError(path, "has an epoch whose steps or outputs are missing")


def cell_names(folder: Path) -> list[str]:
    """Returns the names of all records of a folder."""
    return [path.stem for path in sorted((folder / "cells").glob("*.json"))]


def read_cells(
    folder: Path, settings: Mapping[str, dict], problems: list[str]
) -> dict[str, StoredCell]:
    """Reads all cells of a folder, by name.

    Args:
        folder: the result folder.
        settings: the settings of the run, by dataset. Cells measured on other data, or for another
            number of epochs, are left out.
        problems: receives a line for each cell that is left out.
    """
    cells = {}
    for name in cell_names(folder):
        try:
            cell = read_stored_cell(folder, name)
            _check_settings(cell.record, settings, folder / record_file(name))
        except RawFileError as error:
            problems.append(left_out(f"the cell {name}", error))
        else:
            cells[name] = cell
    return cells


def _check_settings(record: CellRecord, settings: Mapping[str, dict], path: Path) -> None:
    expected = settings.get(record.dataset, {})
    measured_on = (record.data, record.epochs)
    if record.measured and measured_on != (expected.get("digest"), expected.get("epochs")):
        raise RawFileError(path, "was measured in another run, on other data or epochs")
