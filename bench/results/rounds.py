"""The raw files of the rounds of a result folder.

    rounds/DATASET-variants.json     a `VariantRecord` each
    rounds/DATASET-turns.csv         a row a turn: variant, mode, round, place in it, CPU seconds of the variant and of all
                                     other processes meanwhile
    rounds/DATASET-calls.csv         a row a call that trains: its turn, steps, samples, times; in the mode `blocks` a row a
                                     block of calls, `recorded` or not; in the mode `clocks` the
                                     seconds within the doors, in the mode `traced` what the trace says
    rounds/DATASET-kernels.csv       a row a type of kernel and traced turn
    traces/VARIANT-DATASET-N.xplane.pb   the trace of the N-th traced turn, which TensorBoard opens too

Times are seconds on the machine's monotonic clock, unless a name ends in `_ms`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from bench.measure.turns import TurnRecord
from bench.results.cells import (
    FORMAT,
    check_digests,
    checked_json,
    digests,
    write_bytes,
    write_text,
)
from bench.results.files import RawFileError, read_table
from bench.results.plausibility import check_calls, check_log
from bench.results.typed import as_fields, as_record

CALL_COLUMNS = {
    "variant": "str",
    "mode": "str",
    "round": "int64",
    "steps": "float64",
    "samples": "float64",
    "began_s": "float64",
    "ended_s": "float64",
}
TURN_COLUMNS = {
    "variant": "str",
    "mode": "str",
    "round": "int64",
    "place": "int64",
    "own_cpu_s": "float64",
    "others_cpu_s": "float64",
}
KERNEL_COLUMNS = {
    "variant": "str",
    "round": "int64",
    "kernel": "str",
    "device": "str",
    "count": "int64",
    "total_ms": "float64",
    "steps": "float64",
}
OF_MODE = {
    "blocks": {"recorded": "boolean"},
    "clocks": {"runtime_s": "float64", "api_s": "float64"},
    "traced": {"runtime_ms": "float64", "kernels_ms": "float64", "input_ms": "float64"},
}
"""Columns that calls of a mode have, beside those of all."""

OF_GPU = {
    "calls": ("gpu_ms", "gpu_copy_ms"),
    "turns": ("gpu_energy_j", "gpu_utilisation", "gpu_memory_mib"),
}
THREADS = {"intra_op_threads": "int", "inter_op_threads": "int", "peak_rss_mib": "float"}
"""What a variant's environment has; and with a GPU, `gpu_peak_mib`."""

MOST_VARIANTS = 100
MOST_TURNS = 100_000
"""Rounds times variants: their intervals then take a minute or two."""


@dataclass
class VariantRecord:
    """One variant on one dataset. `status` is one of `bench.results.cells.STATUSES`, and `reason` says in a line why it is not `ok`;
    `environment` holds its threads and memory in MiB."""

    name: str
    implementation: str
    module: str
    profile: str
    dataset: str
    length: int
    status: str = "ok"
    reason: str = ""
    log: str = ""
    environment: dict = field(default_factory=dict)


@dataclass
class Turns:
    """The rows of one dataset, as they come in."""

    dataset: str
    turn_rows: list[dict] = field(default_factory=list)
    call_rows: list[dict] = field(default_factory=list)
    kernel_rows: list[dict] = field(default_factory=list)
    traces: dict[str, bytes] = field(default_factory=dict)

    def add(
        self, variant: str, mode: str, number: int, place: int, taken: TurnRecord, machine: dict
    ) -> None:
        turn = {"variant": variant, "mode": mode, "round": number}
        self.turn_rows.append({**turn, "place": place, **machine})
        self.call_rows += [{**turn, **row} for row in taken.rows]
        if taken.trace is not None:
            steps = sum(row["steps"] for row in taken.rows)
            self.kernel_rows += [
                {"variant": variant, "round": number, **row, "steps": steps}
                for row in taken.kernels
            ]
            self.traces[f"{variant}-{self.dataset}-{number}"] = taken.trace

    def frame(self) -> pd.DataFrame:
        """The calls so far, as `read_calls` gives them."""
        return pd.DataFrame(self.call_rows, columns=CALL_COLUMNS)


def write_rounds(
    folder: Path, turns: Turns, records: list[VariantRecord], fingerprint: str = ""
) -> None:
    """All files of a dataset, the records last: rounds count as measured once they are there. `fingerprint` is the hash of all that
    decides what was measured."""
    rounds, dataset = folder / "rounds", turns.dataset
    for name, trace in turns.traces.items():
        write_bytes(folder / "traces" / f"{name}.xplane.pb", trace)
    for kind, rows, columns in (
        ("turns", turns.turn_rows, TURN_COLUMNS),
        ("calls", turns.call_rows, CALL_COLUMNS),
        ("kernels", turns.kernel_rows, KERNEL_COLUMNS),
    ):
        frame = pd.DataFrame(rows)
        write_text(
            rounds / f"{dataset}-{kind}.csv",
            frame.reindex(columns=[*columns, *frame.columns.difference(columns)]).to_csv(
                index=False
            ),
        )
    write_text(
        rounds / f"{dataset}-variants.json",
        json.dumps(
            {
                "format": FORMAT,
                "fingerprint": fingerprint,
                "variants": [asdict(record) for record in records],
                "sha256": digests(
                    folder,
                    [f"rounds/{dataset}-{kind}.csv" for kind in ("turns", "calls", "kernels")],
                ),
            },
            indent=1,
        ),
    )


def measured_datasets(folder: Path) -> list[str]:
    """Datasets of which there are rounds."""
    return [
        path.name.removesuffix("-variants.json")
        for path in sorted((folder / "rounds").glob("*-variants.json"))
    ]


def read_variants(folder: Path, dataset: str) -> list[VariantRecord]:
    """The records of a dataset, whose other files are found to be whole.

    Raises:
        RawFileError: a file is damaged, of another version, or of another run.
    """
    path = folder / "rounds" / f"{dataset}-variants.json"
    content = as_fields({"variants": "list", "sha256": "dict[str, str]"}, checked_json(path), path)
    records = [
        as_record(VariantRecord, record, path) for record in content["variants"][:MOST_VARIANTS]
    ]
    for record in records:
        check_log(record.log, path)
        if (record.name, record.dataset) != (f"{record.implementation}-{record.profile}", dataset):
            raise RawFileError(
                path,
                f"holds {record.name} on {record.dataset}, which is named otherwise than its fields say",
            )
        if record.status == "ok":
            known = {
                **THREADS,
                **({"gpu_peak_mib": "float"} if "gpu_peak_mib" in record.environment else {}),
            }
            record.environment = as_fields(known, record.environment, path)
    if len({record.name for record in records}) < len(content["variants"]):
        raise RawFileError(path, f"holds a variant twice, or more than {MOST_VARIANTS}")
    check_digests(folder, content["sha256"])
    return records


def read_rounds_fingerprint(folder: Path, dataset: str) -> str | None:
    """The hash of what was measured; None if it is not known, or not all of it was.

    Raises:
        RawFileError: see `read_variants`.
    """
    return checked_json(folder / "rounds" / f"{dataset}-variants.json").get("fingerprint")


def read_calls(folder: Path, dataset: str) -> pd.DataFrame:
    """The calls of a dataset, in their order; to be read after `read_variants`, which checks that the file is whole.

    Raises:
        RawFileError: there is no such table.
    """
    path = folder / "rounds" / f"{dataset}-calls.csv"
    gpu = dict.fromkeys(OF_GPU["calls"], "float64")
    calls = read_table(
        path,
        CALL_COLUMNS,
        {**gpu, **{name: kind for columns in OF_MODE.values() for name, kind in columns.items()}},
    )
    check_calls(calls, path)
    for mode, columns in OF_MODE.items():
        if (calls["mode"] == mode).any() and not columns.keys() <= set(calls):
            raise RawFileError(path, f"lacks a column of its calls in the mode {mode}")
    if len(gpu.keys() & set(calls)) == 1:
        raise RawFileError(path, "lacks a column of calls on a GPU")
    if calls["round"].nunique() * calls["variant"].nunique() > MOST_TURNS:
        raise RawFileError(path, f"has more than {MOST_TURNS:,} rounds times variants")
    return calls


def read_turns(folder: Path, dataset: str) -> pd.DataFrame:
    """The turns of a dataset, in their order.

    Raises:
        RawFileError: there is no such table.
    """
    return read_table(
        folder / "rounds" / f"{dataset}-turns.csv",
        TURN_COLUMNS,
        dict.fromkeys(OF_GPU["turns"], "float64"),
    )


def read_kernels(folder: Path, dataset: str) -> pd.DataFrame:
    """The kernels of a dataset's traced turns.

    Raises:
        RawFileError: there is no such table.
    """
    return read_table(folder / "rounds" / f"{dataset}-kernels.csv", KERNEL_COLUMNS)
