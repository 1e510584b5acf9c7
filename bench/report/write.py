"""Writes the whole report of a result folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.durable import write_text
from bench.report.answers import answers
from bench.report.cost import (
    GATE_NOTE,
    GPU_NOTE,
    NO_GPU_NOTE,
    QUESTION,
    TAX_NOTE,
    THROUGHPUT_NOTE,
    code_table,
    cost_texts,
    has_gpu,
    kernel_tables,
    other_costs_table,
    tax_table,
    throughput_table,
    warning_texts,
)
from bench.report.diagnosis import WHY, causes_table, cell_causes, with_causes
from bench.report.findings import Finding, find
from bench.report.frames import curves_frame, results_frame
from bench.report.page import render_page
from bench.report.parity import LEGEND, parity_table, stamp, with_parity
from bench.report.pictures import draw_curves
from bench.report.rounds import throughput_frame
from bench.report.scaling import (
    EXPECTED,
    EXPECTED_NOTE,
    SCALING,
    SCALING_NOTE,
    expected_table,
    scaling_frame,
    scaling_table,
)
from bench.report.tables import QUICK_NOTE, RANGE_NOTE, agreement_table, training_table, tuned_table
from bench.results.run import Run
from bench.text_tables import as_markdown, as_text


@dataclass(frozen=True)
class Report:
    """What the terminal shows at the end: tables, notes on them, findings and warnings."""

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
    run = Run.load(folder)
    environment, rounds, comparisons = run.environment, run.rounds, run.comparisons
    throughput = throughput_frame(rounds)
    results = results_frame(run.cells.values(), throughput)
    curves = curves_frame(run.cells.values())
    agreement = agreement_table(run.cells, results, curves)
    shown = stamp(results, comparisons)
    shown_throughput = stamp(throughput, comparisons) if len(throughput) else throughput
    ok = shown[shown["status"] == "ok"]
    causes = cell_causes(run.cells.values())
    tables = {
        "Is it the same network?": parity_table(comparisons),
        "Does it train?": training_table(shown),
        WHY: causes_table(causes),
        QUESTION: throughput_table(shown_throughput),
        "Where does the time of a step go?": tax_table(shown_throughput),
        "What else does it cost?": other_costs_table(ok, run.imports),
        SCALING: scaling_table(results),
        EXPECTED: expected_table(results),
        "How much code is it?": code_table(results[results["status"] == "ok"]),
        "What differs between the APIs, with equal seeds?": agreement,
        "Does a tuned run end as the default one?": tuned_table(curves),
    }
    tables = {title: table for title, table in tables.items() if len(table)}
    notes = [
        *([LEGEND] if comparisons else []),
        RANGE_NOTE,
        *([THROUGHPUT_NOTE, TAX_NOTE, GATE_NOTE] if len(throughput) else []),
        GPU_NOTE if has_gpu(throughput) else NO_GPU_NOTE,
    ]
    notes += [
        note
        for title, note in ((SCALING, SCALING_NOTE), (EXPECTED, EXPECTED_NOTE))
        if title in tables
    ]
    findings = [
        *(Finding("training", problem) for problem in run.problems),
        *find(run.cells, results, agreement, comparisons),
        *(Finding("cost", text) for text in cost_texts(shown_throughput, rounds)),
    ]
    warnings = warning_texts(rounds, environment)
    if environment["quick"]:
        notes.append(QUICK_NOTE)

    write_text(
        folder / "results.csv",
        with_causes(with_parity(results, comparisons), causes).to_csv(index=False),
    )
    write_text(folder / "throughput.csv", throughput.to_csv(index=False))
    write_text(folder / "curves.csv", curves.to_csv(index=False))
    write_text(folder / "results.md", _markdown(tables, notes, findings, warnings, environment))
    if len(curves):
        draw_curves(stamp(curves, comparisons), folder / "curves.png")
    write_text(
        folder / "report.html",
        render_page(
            answers(run.cells, results, shown_throughput, agreement, comparisons),
            findings,
            warnings,
            tables,
            notes,
            shown_throughput,
            scaling_frame(shown),
            stamp(curves, comparisons),
            environment,
            comparisons,
            kernel_tables(rounds),
        ),
    )
    return Report(tables, notes, findings, warnings)


def _markdown(
    tables: dict[str, pd.DataFrame],
    notes: list[str],
    findings: list[Finding],
    warnings: list[str],
    environment: dict,
) -> str:
    packages = environment["packages"]
    parts = ["# Results", "\n".join(f"- {as_markdown(finding.text)}" for finding in findings)]
    parts += [f"## {title}\n\n{as_text(table, 'github')}" for title, table in tables.items()]
    parts += ["\n".join(f"{note}  " for note in notes)]
    if warnings:
        parts.append(
            "## Warnings\n\n" + "\n".join(f"- {as_markdown(warning)}" for warning in warnings)
        )
    parts += [
        as_markdown(
            f"TensorFlow {packages['tensorflow']}, Python {environment['python']}, "
            f"{environment['cpu']}, {environment['cores_available']} cores."
        )
    ]
    return "\n\n".join(parts) + "\n"
