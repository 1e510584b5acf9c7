"""Which tables a report has, and the notes on them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.report.analysis import Analysis
from bench.report.cost import (
    GATE_NOTE,
    GPU_NOTE,
    NO_GPU_NOTE,
    QUESTION,
    TAX_NOTE,
    THROUGHPUT_NOTE,
    code_table,
    other_costs_table,
    tax_table,
    throughput_table,
)
from bench.report.diagnosis import WHY, causes_table
from bench.report.parity import LEGEND, parity_table
from bench.report.rounds import has_gpu
from bench.report.scaling import (
    EXPECTED,
    EXPECTED_NOTE,
    SCALING,
    SCALING_NOTE,
    expected_table,
    scaling_table,
)
from bench.report.tables import QUICK_NOTE, RANGE_NOTE, training_table, tuned_table


def tables_of(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Returns the tables of a report by title, without those that have no row."""
    results, run = analysis.results, analysis.run
    shown, throughput = analysis.shown_results, analysis.shown_throughput
    tables = {
        "Is it the same network?": parity_table(run.comparisons),
        "Does it train?": training_table(shown),
        WHY: causes_table(analysis.causes),
        QUESTION: throughput_table(throughput),
        "Where does the time of a step go?": tax_table(throughput),
        "What else does it cost?": other_costs_table(shown[shown["status"] == "ok"], run.imports),
        SCALING: scaling_table(results),
        EXPECTED: expected_table(results),
        "How much code is it?": code_table(results[results["status"] == "ok"]),
        "What differs between the APIs, with equal seeds?": analysis.agreement,
        "Does a tuned run end as the default one?": tuned_table(analysis.curves),
    }
    return {title: table for title, table in tables.items() if len(table)}


def notes_of(analysis: Analysis, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Returns the notes on the tables of a report."""
    throughput = analysis.throughput
    return [
        *([LEGEND] if analysis.run.comparisons else []),
        RANGE_NOTE,
        *([THROUGHPUT_NOTE, TAX_NOTE, GATE_NOTE] if len(throughput) else []),
        GPU_NOTE if has_gpu(throughput) else NO_GPU_NOTE,
        *([SCALING_NOTE] if SCALING in tables else []),
        *([EXPECTED_NOTE] if EXPECTED in tables else []),
        *([QUICK_NOTE] if analysis.run.environment["quick"] else []),
    ]
