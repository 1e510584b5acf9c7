"""Writes the whole report of a result folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.durable import write_text
from bench.report.analysis import Analysis
from bench.report.answers import answers
from bench.report.cost import kernel_tables
from bench.report.cost_words import cost_findings, warning_texts
from bench.report.diagnosis import with_causes
from bench.report.finding import Answer, Finding
from bench.report.findings import find
from bench.report.first_screen import panels
from bench.report.loss_plot import step_losses, trained
from bench.report.page import PageData, render_page
from bench.report.parity import with_parity
from bench.report.pictures import draw_curves
from bench.report.run_tables import notes_of, tables_of
from bench.report.scaling import scaling_frame
from bench.report.summary import summary_table
from bench.results.run import Run
from bench.text_tables import as_markdown, as_text


@dataclass(frozen=True)
class Report:
    """What a report says, for the terminal and for its files.

    Attributes:
        answers: those to the three questions.
        summary: a row for each dataset and implementation, see `bench.report.summary`.
        tables: all tables, by title.
        notes: on the tables.
        findings: in words.
        warnings: what makes the rounds doubtful.
    """

    answers: list[Answer]
    summary: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    notes: list[str]
    findings: list[Finding]
    warnings: list[str]


def write_report(folder: Path) -> Report:
    """Writes the files `bench.results.layout.DERIVED` from the raw files in `folder`.

    Raw files that are damaged, of another version or of another run are left out, and the findings
    name them.

    Raises:
        RawFileError: environment.json itself cannot be used.
    """
    analysis = Analysis.of(Run.load(folder))
    report = _report(analysis)
    _write_tables(folder, analysis)
    write_text(folder / "results.md", _markdown(report, analysis.run.environment))
    curves = analysis.stamped(analysis.curves)
    if len(curves):
        draw_curves(curves, folder / "curves.png")
    write_text(folder / "report.html", render_page(_page_data(analysis, report, curves)))
    return report


def _report(analysis: Analysis) -> Report:
    run, throughput = analysis.run, analysis.shown_throughput
    tables = tables_of(analysis)
    return Report(
        answers(
            analysis.verdicts, analysis.results, throughput, analysis.agreement, run.comparisons
        ),
        summary_table(analysis.shown_results, throughput),
        tables,
        notes_of(analysis, tables),
        _findings(analysis, throughput),
        warning_texts(run.rounds, run.environment),
    )


def _findings(analysis: Analysis, throughput: pd.DataFrame) -> list[Finding]:
    """Returns all findings, the problems first."""
    run = analysis.run
    findings = [
        *(Finding("problem", problem) for problem in run.problems),
        *find(analysis.verdicts, analysis.results, analysis.agreement, run.comparisons),
        *cost_findings(throughput, run.rounds),
    ]
    return sorted(findings, key=lambda finding: finding.matter != "problem")


def _write_tables(folder: Path, analysis: Analysis) -> None:
    """Writes the three CSV files."""
    results = with_parity(analysis.results, analysis.run.comparisons)
    for name, frame in {
        "results": with_causes(results, analysis.causes),
        "throughput": analysis.throughput,
        "curves": analysis.curves,
    }.items():
        write_text(folder / f"{name}.csv", frame.to_csv(index=False))


def _page_data(analysis: Analysis, report: Report, curves: pd.DataFrame) -> PageData:
    run, throughput = analysis.run, analysis.shown_throughput
    steps = analysis.stamped(step_losses(run.cells.values()))
    shown = trained(steps, curves, analysis.verdicts)
    return PageData(
        panels(report.answers, shown, run.comparisons, throughput),
        report.findings,
        curves,
        throughput,
        scaling_frame(analysis.shown_results),
        report.tables,
        report.notes,
        report.warnings,
        kernel_tables(run.rounds),
        run.comparisons,
        run.environment,
    )


def _markdown(report: Report, environment: dict) -> str:
    packages = environment["packages"]
    parts = [
        "# Results",
        *(as_markdown(f"**{one.question}** {one.headline} {one.detail}") for one in report.answers),
        "\n".join(f"- {as_markdown(finding.text)}" for finding in report.findings),
    ]
    parts += [f"## {title}\n\n{as_text(table, 'github')}" for title, table in report.tables.items()]
    parts += ["\n".join(f"{note}  " for note in report.notes)]
    if report.warnings:
        warnings = "\n".join(f"- {as_markdown(warning)}" for warning in report.warnings)
        parts.append(f"## Warnings\n\n{warnings}")
    parts += [
        as_markdown(
            f"TensorFlow {packages['tensorflow']}, Python {environment['python']}, "
            f"{environment['cpu']}, {environment['cores_available']} cores."
        )
    ]
    return "\n\n".join(parts) + "\n"
