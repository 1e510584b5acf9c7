"""The report as one HTML file that works offline, on a phone and in print."""

from __future__ import annotations

import pandas as pd
import plotly.io
from jinja2 import Environment, PackageLoader, select_autoescape
from plotly.offline import get_plotlyjs

from bench.report.answers import Answer
from bench.report.findings import Finding
from bench.report.parity import stage_tables
from bench.report.plots import curve_plots, scaling_plot, tax_plot, throughput_plot
from bench.results.comparisons import StoredComparison
from bench.text_tables import as_text


def render_page(
    answers: list[Answer],
    findings: list[Finding],
    warnings: list[str],
    tables: dict[str, pd.DataFrame],
    notes: list[str],
    throughput: pd.DataFrame,
    scaling: pd.DataFrame,
    curves: pd.DataFrame,
    environment: dict,
    comparisons: list[StoredComparison],
    kernels: dict[str, pd.DataFrame],
) -> str:
    """The page; text that comes from data is escaped by the template."""
    template = Environment(
        loader=PackageLoader("bench.report", "."), autoescape=select_autoescape(default=True)
    )
    costs = (
        [
            plot
            for dataset in dict.fromkeys(throughput["dataset"])
            for plot in (
                (f"Throughput: {dataset}", throughput_plot(throughput, dataset)),
                (f"Where the time of a step goes: {dataset}", tax_plot(throughput, dataset)),
            )
        ]
        if len(throughput)
        else []
    )
    costs += [
        (f"Throughput by the number of workers: {dataset}", scaling_plot(scaling, dataset))
        for dataset in scaling["dataset"].unique()
    ]
    return template.get_template("page.html.j2").render(
        answers=answers,
        findings=findings,
        warnings=warnings,
        kernel_tables={title: as_text(table, "html") for title, table in kernels.items()},
        tables={title: as_text(table, "html") for title, table in tables.items()},
        notes=notes,
        stage_tables={
            title: as_text(table, "html") for title, table in stage_tables(comparisons).items()
        },
        curve_plots=[(title, figure_html(figure)) for title, figure in curve_plots(curves)],
        cost_plots=[(title, figure_html(figure)) for title, figure in costs],
        environment=_flat(environment),
        plotlyjs=get_plotlyjs(),
    )


def figure_html(figure) -> str:
    return plotly.io.to_html(
        figure,
        full_html=False,
        include_plotlyjs=False,
        config={"responsive": True, "displaylogo": False, "displayModeBar": False},
    )


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
