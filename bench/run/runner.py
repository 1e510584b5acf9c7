"""Runs cells one after the other, each in its own process, and shows the progress."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.data.source import Source, Spec
from bench.durable import remove_unfinished, write_text
from bench.implementations import IMPLEMENTATIONS
from bench.measure.throughput import AGAIN
from bench.process.group import call_in_child
from bench.results.cells import CellRecord
from bench.results.environment import read_environment
from bench.results.files import RawFileError
from bench.results.layout import FOLDERS, FORMAT
from bench.results.rounds import VariantRecord, read_variants
from bench.run.cell_process import run_in_process
from bench.run.cells import Cell
from bench.run.cluster_cell import run_on_cluster
from bench.run.costs import measure_imports
from bench.run.datasets import prepare_dataset
from bench.run.environment import describe_environment
from bench.run.fingerprint import (
    cell_fingerprint,
    comparison_fingerprint,
    imports_fingerprint,
    rounds_fingerprint,
)
from bench.run.limits import Limits
from bench.run.parity import compare_implementations, steps_of
from bench.run.resume import Fingerprints, KeptResults, find_kept, remove_others
from bench.run.rounds import Plan, measure_rounds
from bench.run.variants import Variant
from bench.task import Dataset, UserError

WORK = {"small": 1, "large": 3}
"""Relative time of a cell of each dataset, for the progress bar."""


@dataclass(frozen=True)
class Grid:
    """What a run measures: the cells in their order, and their common settings.

    Without `variants` a run has cells only: no throughput in rounds, no parity, no imports.
    """

    cells: list[Cell]
    specs: dict[str, Spec]
    epochs: dict[str, int]
    source: Source
    variants: list[Variant]
    plan: dict[str, Plan] = field(default_factory=dict)
    precision: float | None = None
    quick: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def modules(self) -> dict[str, str]:
        """Implementations by name, each with its module."""
        return {cell.implementation: cell.module for cell in self.cells}

    def settings(self, datasets: dict[str, Dataset]) -> dict:
        """Returns what must be equal for cells to be in one table."""
        return {
            name: {
                "source": self.source.name,
                "digest": dataset.digest,
                "epochs": self.epochs[name],
                "train": dataset.train.samples,
                "evaluation": dataset.evaluation.samples,
                "classes": dataset.classes,
                "length": dataset.length,
            }
            for name, dataset in datasets.items()
        }


def run_grid(
    grid: Grid, folder: Path, keep_others: bool, console: Console, fresh: bool = False
) -> bool:
    """Measures all cells into `folder`. Returns True if all are ok.

    With `keep_others`, cells that were measured there before stay if they have the same data.
    Without it, this is a whole run: it first compares the implementations with each other, and
    keeps results of an earlier run that have the same fingerprint, unless `fresh` is set.

    Raises:
        UserError: The data cannot be made, or other cells in `folder` do not fit to these.
        OSError: `folder` cannot be written, for example because the disk is full.
        KeyboardInterrupt: The finished cells are whole, and the running one has a record that says
        it was interrupted.
    """
    remove_unfinished([folder, *(folder / name for name in FOLDERS)])
    with console.status("loading TensorFlow ..."):
        environment = call_in_child(describe_environment)
    datasets = {
        name: prepare_dataset(grid.source, spec, console) for name, spec in grid.specs.items()
    }
    fingerprints = _fingerprints(grid, datasets)
    kept = KeptResults() if keep_others or fresh else find_kept(folder, fingerprints)
    settings = (
        _settings_with_others(folder, grid.settings(datasets))
        if keep_others
        else grid.settings(datasets)
    )
    if not keep_others:
        remove_others(folder, kept)
    if kept.cells:
        console.print(
            f"kept {len(kept.cells)} of {len(grid.cells)} cells measured before "
            "(--fresh starts over)",
            highlight=False,
        )
    began = time.monotonic()

    def write_environment() -> None:
        write_text(
            folder / "environment.json",
            json.dumps(
                {
                    "format": FORMAT,
                    **environment,
                    "quick": grid.quick,
                    "precision": grid.precision,
                    "settings": settings,
                    "last_session_s": round(time.monotonic() - began, 1),
                },
                indent=2,
            ),
        )

    write_environment()  # before anything can fail: a report needs it
    try:
        if not keep_others and grid.variants:
            compare_implementations(
                grid.modules,
                grid.specs,
                fingerprints.comparisons,
                kept.comparisons,
                grid.cells[0].outputs,
                grid.source,
                grid.quick,
                folder,
                console,
            )
        statuses = _run_cells(grid, datasets, fingerprints.cells, kept.cells, folder, console)
        for name in fingerprints.rounds:
            statuses += [
                record.status
                for record in kept.rounds.get(name)
                or _run_rounds(grid, datasets[name], folder, console)
            ]
        if grid.variants and not (keep_others or grid.quick or kept.imports):
            with console.status("") as status:
                measure_imports(grid.modules, fingerprints.imports, folder, status.update)
    finally:
        write_environment()
    return all(status == "ok" for status in statuses)


def _fingerprints(grid: Grid, datasets: dict[str, Dataset]) -> Fingerprints:
    first, *others = grid.modules.items()
    outputs, some = (
        grid.cells[0].outputs,
        list(datasets)[: 1 if grid.quick else None] if grid.variants else [],
    )
    return Fingerprints(
        {
            cell.name: cell_fingerprint(cell, datasets[cell.dataset], grid.epochs[cell.dataset])
            for cell in grid.cells
        },
        {
            name: rounds_fingerprint(grid.variants, datasets[name], grid.plan[name], grid.precision)
            for name in some
        },
        {
            (name, dataset): comparison_fingerprint(
                first[1],
                module,
                datasets[dataset],
                outputs,
                steps_of(grid.specs[dataset], grid.quick),
            )
            for dataset in some
            for name, module in others
        },
        imports_fingerprint(grid.modules),
    )


def _run_rounds(
    grid: Grid, dataset: Dataset, folder: Path, console: Console
) -> list[VariantRecord]:
    """Measures the throughput of these variants, and of those measured there before: throughput can
    be compared within one run only."""
    variants, plan = _with_earlier(grid.variants, folder, dataset.name), grid.plan[dataset.name]
    began = time.monotonic()
    with _rounds_progress(console) as on_progress:
        records = measure_rounds(
            variants,
            dataset,
            plan,
            folder,
            on_progress,
            limits=grid.limits,
            fingerprint=rounds_fingerprint(variants, dataset, plan, grid.precision),
        )
    console.print(
        f"rounds   {dataset.name:6} {len(variants)} variants took turns in "
        f"{time.monotonic() - began:.0f} s",
        highlight=False,
    )
    for record in records:
        if record.status != "ok":
            console.print(
                f"rounds   {dataset.name:6} {record.name} {record.status}: {record.reason} "
                f"(see {record.log})",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    return records


def _with_earlier(variants: list[Variant], folder: Path, dataset: str) -> list[Variant]:
    """Returns the earlier variants and these. The first of the earlier ones, with its A/A twin,
    stays the reference.

    A module of an earlier variant is run only if it is ours or was asked for now: the folder may
    come from a stranger.
    """
    modules = {*IMPLEMENTATIONS.values(), *(variant.module for variant in variants)}
    try:
        earlier = [
            Variant(record.implementation, record.module, record.profile)
            for record in read_variants(folder, dataset)
            if record.status == "ok" and record.module in modules
        ]
    except (OSError, RawFileError):
        earlier = []
    if not any(variant.profile == AGAIN for variant in earlier):
        return variants
    merged = [*earlier, *(variant for variant in variants if variant.profile != AGAIN)]
    return list({variant.name: variant for variant in merged}.values())


@contextlib.contextmanager
def _rounds_progress(console: Console) -> Iterator[Callable[[str, float], None]]:
    progress = Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        speed_estimate_period=600,
        transient=True,
    )
    with progress:
        bar = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(bar, description=what, completed=share)


def _settings_with_others(folder: Path, settings: dict) -> dict:
    """Returns the settings of all cells in a folder.

    Raises:
        UserError: The cells there have other settings.
    """
    try:
        earlier = read_environment(folder)["settings"]
    except OSError:
        return settings
    except RawFileError as error:
        raise UserError(f"{folder}: {error}") from error
    differing = [name for name in settings if name in earlier and earlier[name] != settings[name]]
    if differing:
        raise UserError(
            f"{folder} holds cells of {', '.join(differing)} measured on other data or for another "
            "number of epochs: give another --out, or start over with 'all'"
        )
    return {**earlier, **settings}


def _run_cells(
    grid: Grid,
    datasets: dict[str, Dataset],
    fingerprints: dict[str, str],
    kept: dict[str, CellRecord],
    folder: Path,
    console: Console,
) -> list[str]:
    progress = Progress(
        TextColumn("{task.fields[done]}/{task.fields[cells]} cells"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        speed_estimate_period=600,
        refresh_per_second=2,
        transient=True,
    )
    statuses = [record.status for record in kept.values()]
    cells = [cell for cell in grid.cells if cell.name not in kept]
    with progress:
        work = {name: WORK[spec.size] for name, spec in grid.specs.items()}
        total = sum(work[cell.dataset] for cell in cells)
        bar = progress.add_task("", total=total, done=len(kept), cells=len(grid.cells))
        for number, cell in enumerate(cells, start=1):
            progress.update(bar, description=cell.name)
            epochs, done = grid.epochs[cell.dataset], len(kept) + number
            run = run_on_cluster if cell.workers else run_in_process
            record = run(
                cell,
                datasets[cell.dataset],
                epochs,
                fingerprints[cell.name],
                folder,
                grid.limits,
                functools.partial(progress.advance, bar, work[cell.dataset] / epochs),
            )
            progress.update(
                bar, completed=sum(work[cell.dataset] for cell in cells[:number]), done=done
            )
            console.print(
                _line(done, len(grid.cells), record), highlight=False, markup=False, soft_wrap=True
            )
            statuses.append(record.status)
    return statuses


def _line(done: int, cells: int, record: CellRecord) -> str:
    seconds = record.ended_s - record.forked_s
    head = (
        f"{done:3}/{cells}  {record.implementation:10} {record.profile:8} {record.dataset:6} "
        f"{record.outputs:10} seed {record.seed}"
    )
    if record.status != "ok":
        return f"{head}  {record.status}: {record.reason} (see {record.log})"
    last = record.evaluations[-1]
    return f"{head}  accuracy {last['accuracy']:.3f}  loss {last['loss']:.4f}  {seconds:5.1f} s"
