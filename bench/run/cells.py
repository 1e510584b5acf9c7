"""A cell: one run of the benchmark's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bench.implementations import CLUSTER, has_profile
from bench.task import BATCH_SIZE


@dataclass(frozen=True)
class Cell:
    """One run: an implementation in a profile, a dataset, a kind of outputs and a seed.

    `implementation` is the name in tables; `module` has its `train`. `workers` is the number of
    workers of a cluster, or 0 for a training without one. `batch_size` is that of all workers
    together.
    """

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
        """The stem of the cell's files."""
        return f"{self.implementation}-{self.profile}-{self.dataset}-{self.outputs}-{self.seed}"


def interleaved(
    implementations: dict[str, str],
    profile: str,
    datasets: Sequence[str],
    outputs_list: Sequence[str],
    seeds: Sequence[int],
) -> list[Cell]:
    """Returns all cells of a profile, for the implementations that have it.

    The implementations take turns at running first, so that a drift of the machine does not fall on
    one of them.
    """
    names = [name for name, module in implementations.items() if has_profile(module, profile)]
    cells = []
    for turn, (seed, dataset, outputs) in enumerate(product(seeds, datasets, outputs_list)):
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
    """Returns all cells on clusters, for every number of `workers`. `servers` has the parameter
    servers of every implementation.

    Sizes and implementations take turns at running first. The batch is `global_batch`, or
    `BATCH_SIZE` per worker.
    """
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
