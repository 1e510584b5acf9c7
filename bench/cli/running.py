"""Runs a verb that measures, from its options to its report."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench.data.source import EPOCHS, QUICK_EPOCHS, Spec
from bench.task import UserError


def epochs_of(specs: dict[str, Spec], epochs: int | None, quick: bool) -> dict[str, int]:
    """Returns the epochs of every dataset: `epochs` if given, or the usual number."""
    usual = QUICK_EPOCHS if quick else EPOCHS
    return {name: epochs or usual[spec.size] for name, spec in specs.items()}


def run_and_show(
    grid_of: Callable,
    modules: dict[str, str],
    chosen,
    datasets: Sequence[str],
    out: Path,
    quick: bool,
    keep_others: bool,
    fresh: bool,
) -> None:
    """Measures the grid that `grid_of` makes of a source and its specs, shows the report, and ends
    the program with the exit code.

    Raises:
        UserError: Nothing was started.
    """
    from bench.process.forkserver import with_forkserver
    from bench.run.check import check_results, check_tensorflow, check_writable
    from bench.run.data_options import open_source
    from bench.run.lock import held
    from bench.run.runner import run_grid

    console = Console()
    check_tensorflow(needs_estimator="impl_estimator" in modules.values())
    check_writable(out)
    check_results(out)
    interrupts = _note_interrupts()
    source, specs = open_source(chosen, datasets, quick, console)
    with held(out), with_forkserver():
        try:
            finished = run_grid(grid_of(source, specs), out, keep_others, console, fresh)
        except KeyboardInterrupt:
            if len(interrupts) > 1:
                raise
            if (out / "environment.json").exists() and any((out / "cells").glob("*.json")):
                show_report(out, console)
            print(
                "interrupted: the tables hold the cells that had finished; "
                "the same command goes on with the others",
                file=sys.stderr,
            )
            sys.exit(130)
        show_report(out, console)
    sys.exit(0 if finished else 1)


def _note_interrupts() -> list[int]:
    """Makes SIGTERM end a run as Ctrl-C does. Returns a list, to which each signal that comes is
    added."""
    came = []

    def note(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return came


def show_report(out: Path, console: Console) -> None:
    """Makes the report of a result folder, and prints what it says in short."""
    from bench.report.terminal import closing_lines
    from bench.report.write import write_report
    from bench.results.files import RawFileError

    try:
        report = write_report(out)
    except RawFileError as error:
        raise UserError(f"{out}: {error}") from error
    for line in closing_lines(report, out):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
