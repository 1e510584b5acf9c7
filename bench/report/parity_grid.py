"""The picture of parity: a grid with a row for each stage and a column for each comparison."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bench.parity import STAGE_NAMES
from bench.parity.result import VERDICTS
from bench.results.comparisons import StoredComparison

SIGNS = {"bit": "=", "rounding": "≈", "different": "≠", "not seen": "?", "none": "-"}
"""What stands for each verdict, and for a stage that was not compared."""

CLASSES = {
    "bit": "bit",
    "rounding": "rounding",
    "different": "different",
    "not seen": "unseen",
    "none": "unseen",
}
"""The class of a cell in the page's style, by verdict."""

MEANINGS = {**VERDICTS, "none": "not compared"}


@dataclass(frozen=True)
class ParityGrid:
    """Verdicts of all stages of all comparisons.

    Attributes:
        datasets: their names, each with the number of its columns.
        ports: the names of the two ports of every column: the compared one and its reference.
        rows: the stages, each with the keys of its verdicts in `SIGNS`, column by column.
    """

    datasets: list[tuple[str, int]]
    ports: list[tuple[str, str]]
    rows: list[tuple[str, list[str]]]

    @property
    def legend(self) -> list[tuple[str, str, str]]:
        """Key, sign and meaning of each verdict that occurs."""
        found = {verdict for _, verdicts in self.rows for verdict in verdicts}
        return [(key, sign, MEANINGS[key]) for key, sign in SIGNS.items() if key in found]

    @property
    def signs(self) -> dict[str, tuple[str, str]]:
        """Sign and meaning of every verdict."""
        return {key: (sign, MEANINGS[key]) for key, sign in SIGNS.items()}

    @property
    def classes(self) -> dict[str, str]:
        """Class of every verdict in the page's style."""
        return CLASSES


def parity_grid(comparisons: list[StoredComparison]) -> ParityGrid:
    """Returns the grid of the comparisons of a run, those of one dataset side by side."""
    counts = Counter(compared.dataset for compared in comparisons)
    columns = [one for dataset in counts for one in comparisons if one.dataset == dataset]
    verdicts = [
        {stage.name: stage.verdict for stage in one.parity.stages} if one.parity else {}
        for one in columns
    ]
    return ParityGrid(
        list(counts.items()),
        [(one.implementation, one.reference) for one in columns],
        [(name, [found.get(name, "none") for found in verdicts]) for name in STAGE_NAMES],
    )
