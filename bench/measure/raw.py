"""The raw files of a result folder: what the cells measured, from which every figure is derived later.

    parity/*.json           comparisons of ports: see `bench.parity.stored`
    cells/NAME.json         a `CellRecord`
    steps/NAME.csv          one row a training step: see `bench.measure.recorder.Recorder`
    outputs/NAME.csv        the outputs handed to the loss: of the fixed batch after every epoch (`probe`), and of
                            every sample of the evaluation split after the last (`evaluation`)
    traces/NAME.xplane.pb   the profiler's trace of a few steps, which TensorBoard opens too
    logs/NAME.log           what TensorFlow and the implementation printed

NAME is implementation-dataset-loss-seed. Times are seconds on the machine's monotonic clock.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

FOLDERS = ("parity", "cells", "steps", "outputs", "traces", "logs")
DERIVED = ("results.csv", "curves.csv", "results.md", "curves.png", "report.html")
"""What the report makes of the raw files, into the same folder."""


@dataclass
class CellRecord:
    """One cell. `status` is `ok` or `failed`, and then `reason` says why in a line.

    `forked_s`, `ended_s` and the times in `evaluations` are seconds on the monotonic clock; `device_ms` and `gpu_ms`
    are the time in kernels of every traced step.
    """

    name: str
    implementation: str
    dataset: str
    loss: str
    seed: int
    status: str = "failed"
    reason: str = ""
    log: str = ""
    length: int = 0
    batch_size: int = 0
    parameters: int | None = None
    code_lines: int | None = None
    forked_s: float = 0.0
    ended_s: float = 0.0
    peak_rss_mib: float | None = None
    device_ms: list[float] = field(default_factory=list)
    gpu_ms: list[float] | None = None
    evaluations: list[dict] = field(default_factory=list)


def write_text(path: Path, text: str) -> None:
    """Writes a whole file or none: beside its place, synced, then renamed."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """See `write_text`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def write_cell(folder: Path, record: CellRecord) -> None:
    """The record; to be written last, since a cell counts as measured once it is there."""
    write_text(folder / "cells" / f"{record.name}.json", json.dumps(asdict(record), indent=1))


def read_cell(folder: Path, name: str) -> CellRecord:
    """One record.

    Raises:
        FileNotFoundError: the cell has not been measured, or not to its end.
    """
    return CellRecord(**json.loads((folder / "cells" / f"{name}.json").read_text()))


def read_cells(folder: Path) -> list[CellRecord]:
    """All records of a folder, by name."""
    return [read_cell(folder, path.stem) for path in sorted((folder / "cells").glob("*.json"))]


def write_steps(folder: Path, name: str, steps: list[dict]) -> None:
    write_text(folder / "steps" / f"{name}.csv", pd.DataFrame(steps).to_csv(index=False))


def read_steps(folder: Path, name: str) -> pd.DataFrame:
    """The steps of a cell, with the column `seconds`, each step's own time."""
    steps = pd.read_csv(folder / "steps" / f"{name}.csv")
    return steps.assign(seconds=steps["ended_s"] - steps["began_s"])


def write_outputs(folder: Path, name: str, tables: list[pd.DataFrame]) -> None:
    write_text(folder / "outputs" / f"{name}.csv", pd.concat(tables).to_csv(index=False, float_format="%.9g"))


def outputs_table(batch: str, epoch: int, labels: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """Rows of an outputs file: `batch` is `probe` or `evaluation`; `outputs` float32 [samples, classes]."""
    columns = {f"output_{column}": outputs[:, column] for column in range(outputs.shape[1])}
    return pd.DataFrame({"batch": batch, "epoch": epoch, "sample": np.arange(len(labels)), "label": labels, **columns})


def read_outputs(folder: Path, name: str) -> pd.DataFrame:
    """The outputs of a cell, float64, as `outputs_table` lays them out."""
    return pd.read_csv(folder / "outputs" / f"{name}.csv")
