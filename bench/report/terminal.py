"""What the terminal shows of a report: one table and a few lines, of at most 100 columns."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.report.scaling import EXPECTED, EXPECTED_NOTE, SCALING, SCALING_NOTE
from bench.report.tables import QUICK_NOTE
from bench.report.write import Report
from bench.text_tables import as_text

WIDTH = 100
"""Columns of the terminal that are used."""

NAME_WIDTH = 12
"""Longer names of implementations and datasets are broken."""

RANGES = (
    "Below each median: lowest and highest over seeds; for samples/s and shares the 95 % interval."
)


def closing_lines(report: Report, folder: Path) -> list[str]:
    """Returns the lines that a run ends with.

    What did not run stands above the table, and so do the tables of a run on clusters.
    """
    problems = [f"- {found.text}" for found in report.findings if found.matter == "problem"]
    answered = [_shortened(f"{one.question:24} {one.headline}") for one in report.answers]
    parts = [problems, _scaling(report), _summary(report), answered, _remarks(report, folder)]
    return [line for part in parts if part for line in ("", *part)]


def _scaling(report: Report) -> list[str]:
    """Returns the tables of a run on clusters, each with its note."""
    return [
        f"{title}\n\n{as_text(report.tables[title], 'simple')}\n\n{note}\n"
        for title, note in ((SCALING, SCALING_NOTE), (EXPECTED, EXPECTED_NOTE))
        if title in report.tables
    ]


def _summary(report: Report) -> list[str]:
    if report.summary.empty:
        return []
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, name in enumerate(report.summary):
        table.add_column(Text(str(name)), max_width=None if place else NAME_WIDTH, overflow="fold")
    for row in report.summary.values:
        table.add_row(*map(Text, row))
    console = Console(width=WIDTH, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [*(line.rstrip() for line in captured.get().splitlines()), RANGES]


def _remarks(report: Report, folder: Path) -> list[str]:
    """Returns where the rest is, and what makes the figures doubtful."""
    warned = len(report.warnings)
    rest = f", findings and {warned} warning{'s' * (warned > 1)}" if warned else " and findings"
    return [
        f"{folder / 'report.html'} has the pictures.",
        f"{folder / 'results.md'} has all tables{rest}.",
        *(note for note in report.notes if note == QUICK_NOTE),
    ]


def _shortened(line: str) -> str:
    return line if len(line) <= WIDTH else f"{textwrap.wrap(line, WIDTH - 2)[0]} …"
