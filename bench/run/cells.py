"""A cell: one run of the benchmark's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bench.implementations import has_profile


@dataclass(frozen=True)
class Cell:
    """`implementation` is the name in tables, `module` where its `train` is found."""

    implementation: str
    module: str
    profile: str
    dataset: str
    loss: str
    seed: int

    @property
    def name(self) -> str:
        """Stem of the cell's files."""
        return f"{self.implementation}-{self.profile}-{self.dataset}-{self.loss}-{self.seed}"


def interleaved(
    implementations: dict[str, str], profile: str, datasets: Sequence[str], losses: Sequence[str], seeds: Sequence[int]
) -> list[Cell]:
    """All cells of a profile, of the implementations that have it; the implementations take turns at running first, so that no
    drift of the machine falls on one."""
    names = [name for name, module in implementations.items() if has_profile(module, profile)]
    cells = []
    for turn, (seed, dataset, loss) in enumerate(product(seeds, datasets, losses)):
        for offset in range(len(names)):
            name = names[(turn + offset) % len(names)]
            cells.append(Cell(name, implementations[name], profile, dataset, loss, seed))
    return cells
