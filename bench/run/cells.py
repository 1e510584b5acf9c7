"""A cell: one run of the benchmark's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bench.implementations import CLUSTER, has_profile
from bench.task import BATCH_SIZE


@dataclass(frozen=True)
class Cell:
    """`implementation` is the name in tables, `module` where its `train` is found. So many `workers` train it together, on a cluster;
    0: it trains by itself. `batch_size` is that of all workers."""

    implementation: str
    module: str
    profile: str
    dataset: str
    outputs: str
    seed: int
    workers: int = 0
    parameter_servers: int = 0
    batch_size: int = BATCH_SIZE

    @property
    def name(self) -> str:
        """Stem of the cell's files."""
        return f"{self.implementation}-{self.profile}-{self.dataset}-{self.outputs}-{self.seed}"


def interleaved(
    implementations: dict[str, str],
    profile: str,
    datasets: Sequence[str],
    inputs_of_loss: Sequence[str],
    seeds: Sequence[int],
) -> list[Cell]:
    """All cells of a profile, of the implementations that have it; the implementations take turns at running first, so that no
    drift of the machine falls on one."""
    names = [name for name, module in implementations.items() if has_profile(module, profile)]
    cells = []
    for turn, (seed, dataset, outputs) in enumerate(product(seeds, datasets, inputs_of_loss)):
        for offset in range(len(names)):
            name = names[(turn + offset) % len(names)]
            cells.append(Cell(name, implementations[name], profile, dataset, outputs, seed))
    return cells


def cluster_cells(
    implementations: dict[str, str],
    servers: dict[str, int],
    datasets: Sequence[str],
    outputs: str,
    seeds: Sequence[int],
    workers: Sequence[int],
    global_batch: int | None,
) -> list[Cell]:
    """All cells on clusters of so many workers each, and of so many parameter servers by implementation. Sizes and implementations
    take turns at running first; the batch is `global_batch`, or `BATCH_SIZE` a worker."""
    cells = []
    for turn, (seed, dataset) in enumerate(product(seeds, datasets)):
        grid = list(product(implementations.items(), workers))
        grid = grid[turn % len(grid) :] + grid[: turn % len(grid)]
        cells += [
            Cell(
                name,
                module,
                f"{CLUSTER}{count}",
                dataset,
                outputs,
                seed,
                count,
                servers[name],
                global_batch or BATCH_SIZE * count,
            )
            for (name, module), count in grid
        ]
    return cells
