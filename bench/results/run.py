"""All raw files of a result folder, each read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.results.cells import StoredCell, read_cells
from bench.results.comparisons import StoredComparison, read_comparisons
from bench.results.environment import read_environment
from bench.results.imports import read_imports
from bench.results.rounds import Rounds, read_rounds


@dataclass(frozen=True)
class Run:
    """What a result folder holds.

    `cells` are by name. `imports` has one row per timed import. `problems` has one line for each
    part that was left out, because one of its files cannot be used.
    """

    folder: Path
    environment: dict
    rounds: list[Rounds]
    cells: dict[str, StoredCell]
    imports: pd.DataFrame
    comparisons: list[StoredComparison]
    problems: list[str]

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Reads a result folder and checks all its files.

        Raises:
            FileNotFoundError: there is no environment.json.
            RawFileError: environment.json cannot be used.
        """
        environment = read_environment(folder)
        problems: list[str] = []
        return cls(
            folder,
            environment,
            read_rounds(folder, problems),
            read_cells(folder, environment["settings"], problems),
            read_imports(folder, problems),
            read_comparisons(folder, problems),
            problems,
        )
