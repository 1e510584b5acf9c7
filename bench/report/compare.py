"""Compares two result folders, cell by cell: is the second slower than the first?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.measure.statistics import Ratio, ratio_of_independent_medians
from bench.measure.throughput import Throughput
from bench.report.frames import in_order, results_frame
from bench.report.rounds import is_yardstick, throughput_frame
from bench.results.run import Run

MACHINE = ("cpu", "cores", "cores_available", "memory_gib", "gpus")
CELL = ["implementation", "profile", "dataset", "outputs", "seed"]


@dataclass(frozen=True)
class Comparison:
    """How two runs differ.

    `table` has one row per variant, and `accuracy` one per cell whose accuracy changed. `missing`
    are the cells and variants that only one folder has, and files that could not be read.
    `reasons` say why the two should not be compared. `slower` are the variants that are slower
    beyond the limit.
    """

    table: pd.DataFrame
    accuracy: pd.DataFrame
    missing: list[str]
    reasons: list[str]
    slower: list[str]


def compare_runs(before: Path, after: Path, fail_over: float) -> Comparison:
    """Compares the run in `after` with the run in `before`.

    A variant counts as slower if the whole 95 % interval of its ratio, after over before, lies
    below 1 - `fail_over`.

    Raises:
        RawFileError: a folder's environment.json cannot be used.
    """
    first, second = _Side(Run.load(before)), _Side(Run.load(after))
    rows, slower = [], []
    for key in first.variants:
        if key in second.variants:
            dataset, name = key
            ratio = ratio_of_independent_medians(second.values(key), first.values(key))
            beyond = ratio.high < 1 - fail_over
            rows.append(
                {
                    "dataset": dataset,
                    "variant": name,
                    "before": f"{first.median(key):,.0f}",
                    "after": f"{second.median(key):,.0f}",
                    "after/before": _text(ratio),
                    "verdict": ratio.verdict() + (" (beyond the limit)" if beyond else ""),
                }
            )
            if beyond:
                slower.append(f"{dataset} {name}")
    return Comparison(
        pd.DataFrame(rows),
        _accuracies(first.results, second.results),
        _missing(first, second),
        _reasons(first, second),
        slower,
    )


class _Side:
    """One of the two runs."""

    def __init__(self, run: Run):
        self.folder, self.environment, self.problems = run.folder, run.environment, run.problems
        self.results = results_frame(run.cells.values(), throughput_frame(run.rounds))
        self._throughput = {one.dataset: Throughput(one.calls) for one in run.rounds}
        self.variants = [
            (one.dataset, record.name)
            for one in run.rounds
            for record in one.ok
            if not is_yardstick(record.profile)
            and record.name in self._throughput[one.dataset].by_round
        ]
        self.cells = {tuple(row) for row in self.results[CELL].itertuples(index=False)}

    @property
    def parameters(self) -> pd.Series:
        """The number of parameters, by dataset and implementation."""
        return (
            self.results.dropna(subset="parameters")
            .groupby(["dataset", "implementation"])["parameters"]
            .first()
        )

    def values(self, key: tuple[str, str]) -> np.ndarray:
        """Returns the samples per second of a dataset's variant, [rounds]."""
        dataset, variant = key
        return self._throughput[dataset].of(variant)

    def median(self, key: tuple[str, str]) -> float:
        """Returns the median of `values`."""
        dataset, variant = key
        return self._throughput[dataset].median(variant).value


def _reasons(first: _Side, second: _Side) -> list[str]:
    """Returns why the two were not measured under the same conditions."""
    reasons = [
        f"different machines: {name} is {first.environment.get(name)} and "
        f"{second.environment.get(name)}"
        for name in MACHINE
        if first.environment.get(name) != second.environment.get(name)
    ]
    before, after = (side.environment["settings"] for side in (first, second))
    reasons += [
        f"different data or epochs: {name}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    old, new = first.parameters, second.parameters
    reasons += [
        f"different networks: {implementation} on {dataset} has "
        f"{old[dataset, implementation]:,} and {new[dataset, implementation]:,} parameters"
        for dataset, implementation in old.index.intersection(new.index)
        if old[dataset, implementation] != new[dataset, implementation]
    ]
    if first.environment["quick"] != second.environment["quick"]:
        reasons.append("one of them is a --quick run")
    return reasons


def _missing(first: _Side, second: _Side) -> list[str]:
    """Returns the cells and variants that one folder lacks, and files that could not be read."""
    lines = [f"{side.folder}: {problem}" for side in (first, second) for problem in side.problems]
    for side, other in ((first, second), (second, first)):
        lines += [
            f"cell {'-'.join(map(str, cell))} is missing in {side.folder}"
            for cell in sorted(other.cells - side.cells)
        ]
        lines += [
            f"throughput of {name} on {dataset} is missing in {side.folder}"
            for dataset, name in other.variants
            if (dataset, name) not in side.variants
        ]
    return lines


def _accuracies(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Returns the cells whose accuracy changed."""
    both = first[[*CELL, "accuracy"]].merge(
        second[[*CELL, "accuracy"]], on=CELL, suffixes=(" before", " after")
    )
    changed = in_order(both[(both["accuracy before"] - both["accuracy after"]).abs() > 1e-6])
    return changed.assign(
        **{
            name: changed[name].map("{:.4f}".format)
            for name in ("accuracy before", "accuracy after")
        }
    )


def _text(ratio: Ratio) -> str:
    if pd.isna(ratio.low):
        return f"{ratio.value:.3f} (rounds: {ratio.rounds}, too few for an interval)"
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
