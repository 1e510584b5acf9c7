"""Two result folders, cell by cell: is the second slower than the first?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.measure.statistics import Ratio, ratio_of_independent_medians
from bench.report.frames import in_order, read_cells, results_frame
from bench.report.rounds import Rounds, is_yardstick, read_rounds, throughput_frame
from bench.results.environment import read_environment

MACHINE = ("cpu", "cores", "cores_available", "memory_gib", "gpus")
CELL = ["implementation", "profile", "dataset", "outputs", "seed"]


@dataclass(frozen=True)
class Comparison:
    """`table` has a row a variant; `accuracy` a row a cell whose accuracy changed; `missing` are cells that only one folder has;
    `reasons` say why the two should not be compared; `slower` are the variants that are slower beyond the limit."""

    table: pd.DataFrame
    accuracy: pd.DataFrame
    missing: list[str]
    reasons: list[str]
    slower: list[str]


def compare_runs(before: Path, after: Path, fail_over: float) -> Comparison:
    """The second folder's throughput over the first's, from their raw files.

    A variant counts as slower when the whole 95 % interval of its ratio lies below 1 - `fail_over`.

    Raises:
        RawFileError: a folder's environment.json cannot be used.
    """
    sides = [_Side(folder) for folder in (before, after)]
    first, second = sides
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
    """One folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = read_environment(folder)
        self.problems: list[str] = []
        rounds = read_rounds(folder, self.problems)
        self.results = results_frame(
            folder, read_cells(folder, self.problems), throughput_frame(rounds)
        )
        self._rounds: dict[str, Rounds] = {one.dataset: one for one in rounds}
        self.variants = [
            (one.dataset, record.name)
            for one in rounds
            for record in one.ok
            if not is_yardstick(record.profile) and record.name in one.throughput.by_round
        ]
        self.cells = {tuple(row) for row in self.results[CELL].itertuples(index=False)}

    @property
    def parameters(self) -> pd.Series:
        """Their number, by dataset and implementation."""
        return (
            self.results.dropna(subset="parameters")
            .groupby(["dataset", "implementation"])["parameters"]
            .first()
        )

    def values(self, key: tuple[str, str]):
        return self._rounds[key[0]].throughput.of(key[1])

    def median(self, key: tuple[str, str]) -> float:
        return self._rounds[key[0]].throughput.median(key[1]).value


def _reasons(first: _Side, second: _Side) -> list[str]:
    """Why the two were not measured under the same conditions."""
    reasons = [
        f"different machines: {name} is {first.environment.get(name)} and {second.environment.get(name)}"
        for name in MACHINE
        if first.environment.get(name) != second.environment.get(name)
    ]
    before, after = (side.environment["settings"] for side in (first, second))
    reasons += [
        f"different data or epochs: {name}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    before, after = (side.parameters for side in (first, second))
    reasons += [
        f"different networks: {implementation} on {dataset} has {before[dataset, implementation]:,} and "
        f"{after[dataset, implementation]:,} parameters"
        for dataset, implementation in before.index.intersection(after.index)
        if before[dataset, implementation] != after[dataset, implementation]
    ]
    if first.environment["quick"] != second.environment["quick"]:
        reasons.append("one of them is a --quick run")
    return reasons


def _missing(first: _Side, second: _Side) -> list[str]:
    """Cells and variants that are in one folder alone, and files that could not be read."""
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
    """Cells whose accuracy is another than before."""
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
