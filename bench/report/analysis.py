"""What is derived from the raw files of a run, before anything is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.report.diagnosis import cell_causes
from bench.report.findings import Verdict, judge_all
from bench.report.frames import curves_frame, results_frame
from bench.report.parity import stamp
from bench.report.rounds import throughput_frame
from bench.report.tables import agreement_table
from bench.results.run import Run


@dataclass(frozen=True)
class Analysis:
    """A run and its frames.

    Attributes:
        run: the raw files.
        results: a row a cell, see `bench.report.frames.results_frame`.
        throughput: a row a variant, see `bench.report.rounds.throughput_frame`.
        curves: a row an evaluation, see `bench.report.frames.curves_frame`.
        agreement: differences between implementations with equal seeds.
        causes: a row a cell that ended near chance or diverged.
        verdicts: how the finished cells ended.
    """

    run: Run
    results: pd.DataFrame
    throughput: pd.DataFrame
    curves: pd.DataFrame
    agreement: pd.DataFrame
    causes: pd.DataFrame
    verdicts: list[Verdict]

    @classmethod
    def of(cls, run: Run) -> Analysis:
        """Derives all frames from the raw files of a run."""
        throughput = throughput_frame(run.rounds)
        results = results_frame(run.cells.values(), throughput)
        curves = curves_frame(run.cells.values())
        return cls(
            run,
            results,
            throughput,
            curves,
            agreement_table(run.cells, results, curves),
            cell_causes(run.cells.values()),
            judge_all(run.cells, results[results["status"] == "ok"]),
        )

    @cached_property
    def shown_results(self) -> pd.DataFrame:
        """`results` with the names that tables show."""
        return self.stamped(self.results)

    @cached_property
    def shown_throughput(self) -> pd.DataFrame:
        """`throughput` with the names that tables and plots show."""
        return self.stamped(self.throughput)

    def stamped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Returns a frame in which the names of implementations that failed parity say so."""
        return stamp(frame, self.run.comparisons) if len(frame) else frame
