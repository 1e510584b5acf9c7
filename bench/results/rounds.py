"""Throughput, measured in rounds in which all variants take turns: rounds/*.

    rounds/DATASET-variants.json    a `VariantRecord` per variant
    rounds/DATASET-turns.csv        one row per turn: variant, mode, round, place in the round, CPU
                                    seconds of the variant and of all other processes meanwhile
    rounds/DATASET-calls.csv        one row per training call: its turn, steps, samples and times;
                                    in the mode `blocks` one row per block of calls, `recorded` or
                                    not; in the mode `clocks` the seconds in the runtime and in the
                                    API; in the mode `traced` what the trace says
    rounds/DATASET-kernels.csv      one row per type of kernel and traced turn
    traces/VARIANT-DATASET-N.xplane.pb    the trace of the N-th traced turn, for TensorBoard

Times are seconds on the machine's monotonic clock, unless a name ends in `_ms`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from bench.durable import write_bytes, write_text
from bench.measure.turns import TurnRecord
from bench.results.digests import digests, read_checked
from bench.results.files import (
    RawFileError,
    checked_json,
    left_out,
    parse_table,
    read_table_bytes,
)
from bench.results.layout import FORMAT
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
"""Further columns of the calls of one mode."""

OF_GPU = {
    "calls": ("gpu_ms", "gpu_copy_ms"),
    "turns": ("gpu_energy_j", "gpu_utilisation", "gpu_memory_mib"),
}
"""Further columns on a machine with a GPU."""

THREADS = {"intra_op_threads": "int", "inter_op_threads": "int", "peak_rss_mib": "float"}
"""Fields of a variant's environment. With a GPU, there is `gpu_peak_mib` too."""

MOST_VARIANTS = 100
"""Largest number of variants that is read for one dataset."""

MOST_TURNS = 100_000
"""Largest number of rounds times variants: their intervals then take a minute or two."""

KINDS = ("turns", "calls", "kernels")
"""The tables of one dataset."""


@dataclass
class VariantRecord:
    """One variant on one dataset.

    `status` is one of `bench.results.cells.STATUSES`, and `reason` says in one line why it is not
    `ok`. `environment` holds the number of its threads, and its memory in MiB.
    """

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
    """The rows of one dataset, collected while it is measured."""

    dataset: str
    turn_rows: list[dict] = field(default_factory=list)
    call_rows: list[dict] = field(default_factory=list)
    kernel_rows: list[dict] = field(default_factory=list)
    traces: dict[str, bytes] = field(default_factory=dict)

    def add(
        self, variant: str, mode: str, number: int, place: int, taken: TurnRecord, machine: dict
    ) -> None:
        """Adds one turn.

        Args:
            variant: the variant that took the turn.
            mode: how it was measured.
            number: the number of the round, from 1.
            place: the place of the turn in its round, from 1.
            taken: what was measured.
            machine: further columns of `TURN_COLUMNS` and `OF_GPU`.
        """
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
        """Returns the calls so far, in the columns `CALL_COLUMNS`."""
        return pd.DataFrame(self.call_rows, columns=list(CALL_COLUMNS))


def write_rounds(
    folder: Path, turns: Turns, records: list[VariantRecord], fingerprint: str = ""
) -> None:
    """Writes all files of a dataset.

    The records come last: rounds count as measured once they are there. `fingerprint` is the hash
    of all that decides what was measured.
    """
    dataset = turns.dataset
    for name, trace in turns.traces.items():
        write_bytes(folder / "traces" / f"{name}.xplane.pb", trace)
    for kind, rows, columns in (
        ("turns", turns.turn_rows, TURN_COLUMNS),
        ("calls", turns.call_rows, CALL_COLUMNS),
        ("kernels", turns.kernel_rows, KERNEL_COLUMNS),
    ):
        frame = pd.DataFrame(rows)
        write_text(
            folder / _table_file(dataset, kind),
            frame.reindex(columns=[*columns, *frame.columns.difference(list(columns))]).to_csv(
                index=False
            ),
        )
    write_text(
        _variants_path(folder, dataset),
        json.dumps(
            {
                "format": FORMAT,
                "fingerprint": fingerprint,
                "variants": [asdict(record) for record in records],
                "sha256": digests(
                    folder,
                    [_table_file(dataset, kind) for kind in KINDS],
                ),
            },
            indent=1,
        ),
    )


def _table_file(dataset: str, kind: str) -> str:
    return f"rounds/{dataset}-{kind}.csv"


def _variants_path(folder: Path, dataset: str) -> Path:
    return folder / "rounds" / f"{dataset}-variants.json"


@dataclass(frozen=True)
class Rounds:
    """The rounds of one dataset, as they were read: the variants and three tables."""

    dataset: str
    records: list[VariantRecord]
    turns: pd.DataFrame
    calls: pd.DataFrame
    kernels: pd.DataFrame

    @property
    def ok(self) -> list[VariantRecord]:
        """The variants that were measured to the end."""
        return [record for record in self.records if record.status == "ok"]


def measured_datasets(folder: Path) -> list[str]:
    """Returns the datasets that there are rounds of."""
    return [
        path.name.removesuffix("-variants.json")
        for path in sorted((folder / "rounds").glob("*-variants.json"))
    ]


def read_rounds(folder: Path, problems: list[str]) -> list[Rounds]:
    """Reads the rounds of every dataset, those of small first.

    `problems` receives a line for each dataset that is left out.
    """
    found = []
    for dataset in measured_datasets(folder):
        try:
            found.append(read_dataset_rounds(folder, dataset))
        except RawFileError as error:
            problems.append(left_out(f"the throughput of {dataset}", error))
    return sorted(found, key=lambda rounds: rounds.dataset != "small")


def read_dataset_rounds(folder: Path, dataset: str) -> Rounds:
    """Reads the rounds of one dataset.

    Raises:
        RawFileError: a file is damaged, of another version, or of another run.
    """
    records, sha256 = _read_records(_variants_path(folder, dataset), dataset)
    names = {kind: _table_file(dataset, kind) for kind in KINDS}
    contents = read_checked(folder, sha256, names.values())

    def content_of(kind: str) -> tuple[Path, bytes]:
        content, path = contents.pop(names[kind], None), folder / names[kind]
        return path, read_table_bytes(path) if content is None else content

    calls = _parse_calls(*content_of("calls"))
    gpu = dict.fromkeys(OF_GPU["turns"], "float64")
    turns = parse_table(*content_of("turns"), TURN_COLUMNS, gpu)
    kernels = parse_table(*content_of("kernels"), KERNEL_COLUMNS)
    return Rounds(dataset, records, turns, calls, kernels)


def read_variants(folder: Path, dataset: str) -> list[VariantRecord]:
    """Returns the records of a dataset, and checks that its other files were written with them.

    Raises:
        RawFileError: a file is damaged, of another version, or of another run.
    """
    records, sha256 = _read_records(_variants_path(folder, dataset), dataset)
    read_checked(folder, sha256)
    return records


def read_rounds_fingerprint(folder: Path, dataset: str) -> str | None:
    """Returns the hash of what was measured, or None if it is not known or not all was measured.

    Raises:
        RawFileError: the file is damaged, or of another version.
    """
    return checked_json(_variants_path(folder, dataset)).get("fingerprint")


def _read_records(path: Path, dataset: str) -> tuple[list[VariantRecord], dict[str, str]]:
    """Returns the records in the file `path`, and the digests of the dataset's tables."""
    content = as_fields({"variants": "list", "sha256": "dict[str, str]"}, checked_json(path), path)
    records = [
        as_record(VariantRecord, record, path) for record in content["variants"][:MOST_VARIANTS]
    ]
    for record in records:
        _check_record(record, dataset, path)
    if len({record.name for record in records}) < len(content["variants"]):
        raise RawFileError(path, f"holds a variant twice, or more than {MOST_VARIANTS}")
    return records, content["sha256"]


def _check_record(record: VariantRecord, dataset: str, path: Path) -> None:
    """Checks the names in a record, and makes numbers of its environment."""
    check_log(record.log, path)
    if (record.name, record.dataset) != (f"{record.implementation}-{record.profile}", dataset):
        raise RawFileError(
            path,
            f"holds {record.name} on {record.dataset}, which is named otherwise than its fields "
            "say",
        )
    if record.status == "ok":
        gpu = {"gpu_peak_mib": "float"} if "gpu_peak_mib" in record.environment else {}
        record.environment = as_fields({**THREADS, **gpu}, record.environment, path)


def _parse_calls(path: Path, content: bytes) -> pd.DataFrame:
    """Returns the calls of a dataset in their order."""
    gpu = dict.fromkeys(OF_GPU["calls"], "float64")
    of_modes = {name: kind for columns in OF_MODE.values() for name, kind in columns.items()}
    calls = parse_table(path, content, CALL_COLUMNS, {**gpu, **of_modes})
    check_calls(calls, path)
    for mode, columns in OF_MODE.items():
        if (calls["mode"] == mode).any() and not columns.keys() <= set(calls):
            raise RawFileError(path, f"lacks a column of its calls in the mode {mode}")
    if len(gpu.keys() & set(calls)) == 1:
        raise RawFileError(path, "lacks a column of calls on a GPU")
    if calls["round"].nunique() * calls["variant"].nunique() > MOST_TURNS:
        raise RawFileError(path, f"has more than {MOST_TURNS:,} rounds times variants")
    return calls
