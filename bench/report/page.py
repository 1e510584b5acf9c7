"""The report as one HTML file that works offline, on a phone and in print."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from plotly.offline import get_plotlyjs

from bench.report.cost_plots import scaling_plot, tax_plot
from bench.report.curve_plots import curve_plots
from bench.report.finding import Finding
from bench.report.first_screen import Panel
from bench.report.parity import stage_tables
from bench.report.rounds import parts_of
from bench.report.theme import figure_html
from bench.results.comparisons import StoredComparison
from bench.text_tables import with_digits

LONG = 45
"""Longer texts in a table are broken into lines."""


@dataclass(frozen=True)
class PageData:
    """What the page shows, from top to bottom.

    Attributes:
        panels: the first screen.
        findings: what was found, in words.
        curves: a row an evaluation, with stamped names.
        throughput: a row a variant, with stamped names.
        scaling: throughput by the number of workers.
        tables: the tables by title.
        notes: on the tables.
        warnings: what makes the rounds doubtful.
        kernels: tables of the longest kernels, by title.
        comparisons: the comparisons of ports.
        environment: the machine, the packages and the data.
    """

    panels: list[Panel]
    findings: list[Finding]
    curves: pd.DataFrame
    throughput: pd.DataFrame
    scaling: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    notes: list[str]
    warnings: list[str]
    kernels: dict[str, pd.DataFrame]
    comparisons: list[StoredComparison]
    environment: dict


@dataclass(frozen=True)
class PageTable:
    """A table as the page shows it.

    Attributes:
        columns: the names, and whether the column has text that must be broken.
        rows: the texts.
    """

    columns: list[tuple[str, bool]]
    rows: list[list[str]]

    @property
    def prose(self) -> bool:
        """Whether a column has text that must be broken: on a phone a row is then a paragraph."""
        return any(long for _, long in self.columns)

    @classmethod
    def of(cls, table: pd.DataFrame) -> PageTable:
        """Returns a data frame as texts; numbers that are float have two digits."""
        shown = with_digits(table).astype(str)
        longest = {name: shown[name].str.len().max() for name in shown}
        return cls(
            [(str(name), length > LONG) for name, length in longest.items()], shown.values.tolist()
        )


def render_page(data: PageData) -> str:
    """Returns the page. The template escapes text that comes from data."""
    template = Environment(
        loader=PackageLoader("bench.report", "."), autoescape=select_autoescape(default=True)
    )
    return template.get_template("page.html.j2").render(
        panels=data.panels,
        findings=data.findings,
        curve_plots=[
            (title, figure_html(figure), text) for title, figure, text in curve_plots(data.curves)
        ],
        cost_plots=_cost_plots(data.throughput, data.scaling),
        tables=_shown(data.tables),
        notes=data.notes,
        warnings=data.warnings,
        kernel_tables=_shown(data.kernels),
        stage_tables=_shown(stage_tables(data.comparisons)),
        quick=data.environment["quick"],
        environment=_flat(data.environment),
        plotlyjs=get_plotlyjs(),
    )


def _cost_plots(throughput: pd.DataFrame, scaling: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the plots of costs as HTML, each behind its title."""
    plots = [
        (f"Where the time of a step goes: {dataset}", tax_plot(throughput, dataset))
        for dataset in dict.fromkeys(parts_of(throughput).get("dataset", []))
    ] + [
        (f"Throughput by the number of workers: {dataset}", scaling_plot(scaling, dataset))
        for dataset in scaling["dataset"].unique()
    ]
    return [(title, figure_html(figure)) for title, figure in plots]


def _shown(tables: dict[str, pd.DataFrame]) -> dict[str, PageTable]:
    return {title: PageTable.of(table) for title, table in tables.items()}


def _flat(values: dict, prefix: str = "") -> dict[str, str]:
    """Nested values as one level of names with dots."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = (
                ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
            )
    return flat
