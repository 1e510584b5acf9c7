"""Makes the whole report of a result folder from its raw files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.measure import raw
from bench.parity.stored import read_comparisons
from bench.report.answers import answers
from bench.report.findings import Finding, find
from bench.report.frames import curves_frame, results_frame
from bench.report.page import render_page
from bench.report.parity import LEGEND, parity_table, stamp, with_parity
from bench.report.pictures import draw_curves
from bench.report.tables import (
    GPU_NOTE,
    NO_GPU_NOTE,
    QUICK_NOTE,
    RANGE_NOTE,
    agreement_table,
    as_text,
    cost_table,
    has_gpu,
    training_table,
)


@dataclass(frozen=True)
class Report:
    """What the terminal shows at the end."""

    tables: dict[str, pd.DataFrame]
    notes: list[str]
    findings: list[Finding]


def write_report(folder: Path) -> Report:
    """Writes results.csv, curves.csv, results.md, curves.png and report.html from the raw files in `folder`."""
    results, curves = results_frame(folder), curves_frame(folder)
    comparisons = read_comparisons(folder)
    agreement = agreement_table(folder, results, curves)
    shown = stamp(results, comparisons)
    tables = {
        "Is it the same network?": parity_table(comparisons),
        "Does it train?": training_table(shown),
        "What does each API cost?": cost_table(shown),
        "What differs between the APIs, with equal seeds?": agreement,
    }
    tables = {title: table for title, table in tables.items() if len(table)}
    notes = [*([LEGEND] if comparisons else []), RANGE_NOTE, GPU_NOTE if has_gpu(results) else NO_GPU_NOTE]
    findings = find(folder, results, shown, agreement, comparisons)
    environment = json.loads((folder / "environment.json").read_text())
    if environment["quick"]:
        notes.append(QUICK_NOTE)

    raw.write_text(folder / "results.csv", with_parity(results, comparisons).to_csv(index=False))
    raw.write_text(folder / "curves.csv", curves.to_csv(index=False))
    raw.write_text(folder / "results.md", _markdown(tables, notes, findings, environment))
    if len(curves):
        draw_curves(stamp(curves, comparisons), folder / "curves.png")
    raw.write_text(folder / "report.html", render_page(
        answers(folder, results, shown, agreement, comparisons), findings, tables, notes, shown, stamp(curves, comparisons),
        environment, comparisons))
    return Report(tables, notes, findings)


def _markdown(tables: dict[str, pd.DataFrame], notes: list[str], findings: list[Finding], environment: dict) -> str:
    packages = environment["packages"]
    parts = ["# Results", "\n".join(f"- {finding.text}" for finding in findings)]
    parts += [f"## {title}\n\n{as_text(table, 'github')}" for title, table in tables.items()]
    parts += ["\n".join(f"{note}  " for note in notes)]
    parts += [f"TensorFlow {packages['tensorflow']}, Python {environment['python']}, {environment['cpu']}, "
              f"{environment['cores_available']} cores."]
    return "\n\n".join(parts) + "\n"
