"""The raw files of a result folder: what the cells measured, from which every figure is derived later.

    parity/*.json           comparisons of ports: see `bench.results.comparisons`
    rounds/*                throughput: see `bench.results.rounds`
    imports.json            the timed imports: implementation, round, import_s
    cells/NAME.json         a `CellRecord`
    steps/NAME.csv          one row a call that trains: see `bench.measure.recorder.Recorder`
    outputs/NAME.csv        the outputs handed to the loss: of the fixed batch after every epoch (`probe`), and of
                            every sample of the evaluation split after the last (`evaluation`)
    logs/NAME.log           what TensorFlow and the implementation printed

NAME is implementation-profile-dataset-outputs-seed. A file that is cut short, or of another version, raises a `RawFileError` that
names it. Times are seconds on the machine's monotonic clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.durable import write_bytes, write_text  # noqa: F401  for all that writes raw files
from bench.results.files import FOLDERS, MOST_TABLE, RawFileError, read_bytes, read_json  # noqa: F401  raw.FOLDERS
from bench.results.plausibility import check_log, check_measured, outputs_of, steps_of
from bench.results.typed import as_fields, as_record

FORMAT = 3
"""To be raised when the files change their layout."""

STATUSES = ("ok", "failed", "timeout", "out_of_memory", "diverged", "unavailable", "interrupted")
"""How a cell or a variant ended: measured; by an exception or a signal; killed for its time or memory, or without any left;
with a loss that is not finite; not started for want of a module; killed by Ctrl-C."""

IMPORTS = "imports.json"
DERIVED = ("results.csv", "throughput.csv", "curves.csv", "results.md", "curves.png", "report.html")
"""What the report makes of the raw files, into the same folder."""

MOST_FILES = 10
"""That a record has."""


@dataclass
class CellRecord:
    """One cell. `status` is one of `STATUSES`, and `reason` says in a line why it is not `ok`; `fingerprint` is the hash of all that
    decides what the cell ends with. `batch_size` is that of all `workers` together.

    `forked_s`, `ended_s` and the times in `evaluations` are seconds on the monotonic clock, `trained_s` the moment at which
    `train` was called, `began_s` that at which its first step was next; `data` is the dataset's digest, `sha256` that
    of the cell's other files. `checkpoints` has the seconds that writing each took, `checkpoint_bytes` the size of the last.
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
        """Whether it trained to its end: its steps and outputs are there, be they finite or not."""
        return bool(self.sha256)


def checked_json(path: Path) -> dict:
    """A JSON object written by this version.

    Raises:
        FileNotFoundError: there is none.
        RawFileError: it is cut short, no object, or of another version.
    """
    content = read_json(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        found = found if isinstance(found, int) else "another program"
        raise RawFileError(
            path, f"is of format {found}, this version reads {FORMAT}: measure again"
        )
    return content


def digests(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files in `folder`, for the record that is written after them."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}


def check_digests(folder: Path, sha256: dict[str, str]) -> None:
    """The files that a record names are whole, and those that were written with it.

    Raises:
        RawFileError: one is missing, cut short or another.
    """
    for name, digest in list(sha256.items())[:MOST_FILES]:
        path = folder / Path(name).parent.name / Path(name).name  # never out of the folder
        try:
            content = read_bytes(path, MOST_TABLE)
        except FileNotFoundError as error:
            raise RawFileError(path, "is missing") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise RawFileError(path, "is cut short, changed, or of another run")


def cell_files(name: str) -> tuple[str, ...]:
    """The files of a cell that is measured, its record first."""
    return f"cells/{name}.json", f"steps/{name}.csv", f"outputs/{name}.csv"


def write_cell(folder: Path, record: CellRecord) -> None:
    """The record; to be written last, since a cell counts as measured once it is there."""
    _, *others = cell_files(record.name)
    record.sha256 = digests(folder, others if record.evaluations else ())
    write_text(
        folder / "cells" / f"{record.name}.json",
        json.dumps({"format": FORMAT, **asdict(record)}, indent=1),
    )


def read_cell(folder: Path, name: str) -> CellRecord:
    """One record.

    Raises:
        FileNotFoundError: the cell has not been measured, or not to its end.
        RawFileError: one of its files is damaged, of another version, or of another cell.
    """
    path = folder / "cells" / f"{name}.json"
    content = checked_json(path)
    del content["format"]
    record = as_record(CellRecord, content, path)
    if record.name != name:
        raise RawFileError(path, f"holds the cell {record.name}")
    check_log(record.log, path)
    check_digests(folder, record.sha256)
    if record.status == "ok":
        check_measured(record, read_steps(folder, name), read_outputs(folder, name), path)
    return record


def cell_names(folder: Path) -> list[str]:
    """Names of all records of a folder."""
    return [path.stem for path in sorted((folder / "cells").glob("*.json"))]


def write_imports(folder: Path, rows: list[dict], fingerprint: str = "") -> None:
    """The timed imports, see above, and the hash of what was imported."""
    write_text(
        folder / IMPORTS,
        json.dumps({"format": FORMAT, "fingerprint": fingerprint, "imports": rows}, indent=1),
    )


def read_imports(folder: Path) -> pd.DataFrame:
    """The timed imports, a row each; none if they were not measured.

    Raises:
        RawFileError: the file is damaged, or of another version.
    """
    path, columns = folder / IMPORTS, {"implementation": "str", "round": "int", "import_s": "float"}
    rows = (
        as_fields({"imports": "list[dict]"}, checked_json(path), path)["imports"]
        if path.is_file()
        else []
    )
    return pd.DataFrame([as_fields(columns, row, path) for row in rows], columns=list(columns))


def read_imports_fingerprint(folder: Path) -> str | None:
    """The hash of what was imported; None if it is not known."""
    try:
        return checked_json(folder / IMPORTS).get("fingerprint")
    except (OSError, RawFileError):
        return None


def write_steps(folder: Path, name: str, steps: list[dict]) -> None:
    write_text(folder / "steps" / f"{name}.csv", pd.DataFrame(steps).to_csv(index=False))


def read_steps(folder: Path, name: str) -> pd.DataFrame:
    """The calls of a cell that train, with the column `seconds`, each call's own time.

    Raises:
        RawFileError: there is no such table.
    """
    steps = steps_of(folder / "steps" / f"{name}.csv")
    return steps.assign(seconds=steps["ended_s"] - steps["began_s"])


def write_outputs(folder: Path, name: str, tables: list[pd.DataFrame]) -> None:
    write_text(
        folder / "outputs" / f"{name}.csv",
        pd.concat(tables).to_csv(index=False, float_format="%.9g"),
    )


def outputs_table(batch: str, epoch: int, labels: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """Rows of an outputs file: `batch` is `probe` or `evaluation`; `outputs` float32 [samples, classes]."""
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


def read_outputs(folder: Path, name: str) -> pd.DataFrame:
    """The outputs of a cell, float64, as `outputs_table` lays them out.

    Raises:
        RawFileError: there is no such table.
    """
    return outputs_of(folder / "outputs" / f"{name}.csv")


def class_outputs(outputs: pd.DataFrame) -> np.ndarray:
    """What rows of `read_outputs` have of outputs: float64 [rows, classes]."""
    return outputs.filter(regex="^output_").to_numpy()
