"""Keeps results of an earlier run in a folder: all that are whole, ended by themselves, and have
the same fingerprint."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.results.cells import CellRecord, cell_files, read_cell
from bench.results.comparisons import StoredComparison, comparison_path, read_comparisons
from bench.results.files import RawFileError
from bench.results.imports import IMPORTS, read_imports_fingerprint
from bench.results.layout import DERIVED, FOLDERS
from bench.results.rounds import (
    VariantRecord,
    measured_datasets,
    read_rounds_fingerprint,
    read_variants,
)

BY_ITSELF = ("ok", "diverged")
"""Statuses of cells that would end the same way again."""


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of a run: cells by name, rounds by dataset, comparisons by implementation
    and dataset."""

    cells: dict[str, str]
    rounds: dict[str, str]
    comparisons: dict[tuple[str, str], str]
    imports: str


@dataclass
class KeptResults:
    """Results that need not be measured again."""

    cells: dict[str, CellRecord] = field(default_factory=dict)
    rounds: dict[str, list[VariantRecord]] = field(default_factory=dict)
    comparisons: dict[tuple[str, str], StoredComparison] = field(default_factory=dict)
    imports: bool = False

    def files(self, folder: Path) -> Iterator[Path]:
        for name in self.cells:
            yield from (folder / file for file in (*cell_files(name), f"logs/{name}.log"))
        for dataset in self.rounds:
            for pattern in ("rounds/{}-*", "traces/*-{}-*.pb", "logs/rounds-*-{}.log"):
                yield from folder.glob(pattern.format(glob.escape(dataset)))
        for compared in self.comparisons.values():
            yield comparison_path(folder, compared)


def find_kept(folder: Path, fingerprints: Fingerprints) -> KeptResults:
    """Returns the results in a folder that have these fingerprints. Dates of files do not
    matter."""
    kept = KeptResults()
    for name, fingerprint in fingerprints.cells.items():
        try:
            record = read_cell(folder, name)
        except (OSError, RawFileError):
            continue
        if record.fingerprint == fingerprint and record.status in BY_ITSELF:
            kept.cells[name] = record
    for dataset in measured_datasets(folder):
        try:
            measured = read_rounds_fingerprint(folder, dataset)
            records = read_variants(folder, dataset)
        except (OSError, RawFileError):
            continue
        is_whole = all(record.status == "ok" for record in records)
        if is_whole and measured == fingerprints.rounds.get(dataset):
            kept.rounds[dataset] = records
    for compared in read_comparisons(folder, problems=[]):
        key = compared.implementation, compared.dataset
        if compared.parity is not None and compared.fingerprint == fingerprints.comparisons.get(
            key
        ):
            kept.comparisons[key] = compared
    kept.imports = read_imports_fingerprint(folder) == fingerprints.imports
    return kept


def remove_others(folder: Path, kept: KeptResults) -> None:
    """Removes from a folder all results that are not kept, and the reports."""
    stays = set(kept.files(folder))
    for name in FOLDERS:
        for path in (folder / name).glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path not in stays:
                path.unlink()
    for name in (*DERIVED, *(() if kept.imports else (IMPORTS,))):
        (folder / name).unlink(missing_ok=True)
