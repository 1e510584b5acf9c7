"""Runs cells one after the other, each in its own process, and shows how far it is."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.data.source import Source, Spec
from bench.data.store import make_dataset, open_dataset
from bench.measure import raw
from bench.measure.rounds_raw import read_variants
from bench.measure.throughput import AGAIN
from bench.process.group import call_in_child
from bench.run.cells import Cell
from bench.run.costs import measure_imports
from bench.run.environment import describe_environment
from bench.run.parity import compare_implementations
from bench.run.rounds import Plan, measure_rounds
from bench.run.variants import Variant
from bench.run.worker import death, new_record, run_cell
from bench.task import Dataset, UserError

WORK = {"small": 1, "large": 3}
"""About how long a cell of each dataset takes, relative to each other: for the progress display."""


@dataclass(frozen=True)
class Grid:
    """What a run measures: the cells in their order, and what they have in common."""

    cells: list[Cell]
    specs: dict[str, Spec]
    epochs: dict[str, int]
    source: Source
    variants: list[Variant]
    plan: dict[str, Plan]
    precision: float | None = None
    quick: bool = False

    @property
    def modules(self) -> dict[str, str]:
        """Implementations by name, each with its module."""
        return {cell.implementation: cell.module for cell in self.cells}

    def settings(self, datasets: dict[str, Dataset]) -> dict:
        """What must be equal for cells to stand in one table."""
        return {name: {"source": self.source.name, "digest": dataset.digest, "epochs": self.epochs[name],
                       "train": dataset.train.samples, "evaluation": dataset.evaluation.samples}
                for name, dataset in datasets.items()}


def run_grid(grid: Grid, folder: Path, keep_others: bool, console: Console) -> bool:
    """Measures all cells into `folder`; true if none failed.

    With `keep_others`, cells measured there before stay if they were measured on the same data; without, it is a whole run,
    and begins with the question whether the implementations are ports of one network.

    Raises:
        UserError: the data cannot be made, or other cells in `folder` do not fit to these.
        KeyboardInterrupt: the cell that was running leaves no record; the finished ones are whole.
    """
    with console.status("loading TensorFlow and preparing the datasets ..."):
        environment = call_in_child(describe_environment)
        datasets = {name: prepare_dataset(grid.source, spec, console) for name, spec in grid.specs.items()}
    settings = _prepare_folder(folder, grid.settings(datasets), keep_others)
    if not keep_others:
        compare_implementations(grid.modules, grid.specs, grid.cells[0].loss, grid.source, grid.quick, folder, console)
    began = time.monotonic()
    try:
        statuses = _run_cells(grid, datasets, folder, console)
        for name in list(datasets)[:1 if grid.quick else None]:
            statuses += _run_rounds(grid, datasets[name], folder, console)
        if not (keep_others or grid.quick):
            with console.status("") as status:
                measure_imports(grid.modules, folder, status.update)
    finally:
        seconds = time.monotonic() - began
        raw.write_text(folder / "environment.json", json.dumps(
            {"format": raw.FORMAT, **environment, "quick": grid.quick, "precision": grid.precision, "settings": settings,
             "seconds": round(seconds, 1)}, indent=2))
    return all(status == "ok" for status in statuses)


def _run_rounds(grid: Grid, dataset: Dataset, folder: Path, console: Console) -> list[str]:
    """Throughput, of these variants and of those measured there before: it can be compared within one run only."""
    variants = _with_earlier(grid.variants, folder, dataset.name)
    began = time.monotonic()
    with _rounds_progress(console) as on_progress:
        records = measure_rounds(variants, dataset, grid.plan[dataset.name], folder, on_progress)
    console.print(f"rounds   {dataset.name:6} {len(variants)} variants took turns in {time.monotonic() - began:.0f} s",
                  highlight=False)
    for record in records:
        if record.status != "ok":
            console.print(f"rounds   {dataset.name:6} {record.name} failed: {record.reason} (see {record.log})",
                          highlight=False, markup=False, soft_wrap=True)
    return [record.status for record in records]


def _with_earlier(variants: list[Variant], folder: Path, dataset: str) -> list[Variant]:
    """These and the earlier ones, whose first, with its A/A twin, stays what all are compared with."""
    try:
        earlier = [Variant(record.implementation, record.module, record.profile) for record in read_variants(folder, dataset)
                   if record.status == "ok"]
    except (OSError, raw.RawFileError):
        earlier = []
    if not any(variant.profile == AGAIN for variant in earlier):
        return variants
    merged = [*earlier, *(variant for variant in variants if variant.profile != AGAIN)]
    return list({variant.name: variant for variant in merged}.values())


@contextlib.contextmanager
def _rounds_progress(console: Console) -> Iterator[Callable[[str, float], None]]:
    progress = Progress(BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
                        TextColumn("{task.description}"), console=console, speed_estimate_period=600, transient=True)
    with progress:
        bar = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(bar, description=what, completed=share)


def prepare_dataset(source: Source, spec: Spec, console: Console) -> Dataset:
    """The cached dataset, or one made now."""
    dataset = open_dataset(source, spec)
    if dataset is None:
        began = time.monotonic()
        dataset = call_in_child(make_dataset, source, spec)
        console.print(f"made dataset {spec.name} ({source.name}): {dataset.train.samples} + "
                      f"{dataset.evaluation.samples} samples in {time.monotonic() - began:.0f} s", highlight=False)
    return dataset


def _prepare_folder(folder: Path, settings: dict, keep_others: bool) -> dict:
    """Empties the folder of earlier measurements, or checks that they go together with the coming ones."""
    if not keep_others:
        for name in raw.FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in (*raw.DERIVED, raw.IMPORTS):
            (folder / name).unlink(missing_ok=True)
        return settings
    try:
        earlier = raw.checked_json(folder / "environment.json")["settings"]
    except (OSError, KeyError):
        return settings
    except raw.RawFileError as error:
        raise UserError(f"{folder}: {error}") from error
    differing = [name for name in settings if name in earlier and earlier[name] != settings[name]]
    if differing:
        raise UserError(f"{folder} holds cells of {', '.join(differing)} measured on other data or for another number "
                        "of epochs: give another --out, or start over with 'all'")
    return {**earlier, **settings}


def _run_cells(grid: Grid, datasets: dict[str, Dataset], folder: Path, console: Console) -> list[str]:
    progress = Progress(
        TextColumn("{task.fields[done]}/{task.fields[cells]} cells"), BarColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.description}"),
        console=console, speed_estimate_period=600, refresh_per_second=2, transient=True)
    statuses = []
    with progress:
        total = sum(WORK[cell.dataset] for cell in grid.cells)
        bar = progress.add_task("", total=total, done=0, cells=len(grid.cells))
        for done, cell in enumerate(grid.cells, start=1):
            progress.update(bar, description=cell.name)
            epochs = grid.epochs[cell.dataset]
            record = _run_in_process(cell, datasets[cell.dataset], epochs, folder,
                                     lambda: progress.advance(bar, WORK[cell.dataset] / epochs))
            progress.update(bar, completed=sum(WORK[cell.dataset] for cell in grid.cells[:done]), done=done)
            console.print(_line(done, len(grid.cells), record), highlight=False, markup=False, soft_wrap=True)
            statuses.append(record.status)
    return statuses


def _run_in_process(cell: Cell, dataset: Dataset, epochs: int, folder: Path, on_epoch) -> raw.CellRecord:
    """The record that the cell's process left, or one that says how it died."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    (folder / "cells" / f"{cell.name}.json").unlink(missing_ok=True)
    forked_s = time.monotonic()
    process = CONTEXT.Process(target=run_cell, args=(cell, dataset, epochs, folder, forked_s, sender))
    process.start()
    sender.close()
    try:
        while True:
            receiver.recv()
            on_epoch()
    except EOFError:
        process.join()
    except KeyboardInterrupt:
        process.kill()
        process.join()
        raise
    try:
        return raw.read_cell(folder, cell.name)
    except FileNotFoundError:
        record = new_record(cell, forked_s)
        record.ended_s = time.monotonic()
        record.reason = death(process.exitcode)
        raw.write_cell(folder, record)
        return record


def _line(done: int, cells: int, record: raw.CellRecord) -> str:
    seconds = record.ended_s - record.forked_s
    head = f"{done:3}/{cells}  {record.implementation:10} {record.profile:7} {record.dataset:6} {record.loss:10} seed {record.seed}"
    if record.status != "ok":
        return f"{head}  {record.status}: {record.reason} (see {record.log})"
    last = record.evaluations[-1]
    return f"{head}  accuracy {last['accuracy']:.3f}  loss {last['loss']:.4f}  {seconds:5.1f} s"
