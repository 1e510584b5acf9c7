"""Traps compared with their references: the stage and the cause that parity names for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.diagnose.explain import explain
from bench.parity import ComparisonSetting, compare
from bench.parity.remote_port import RemotePort
from bench.process.forkserver import with_forkserver
from bench.task import UserError
from bench.traps.injection import write_sound, write_trapped
from bench.traps.trap import Trap

STEPS = 10
AT_ONCE = 2
"""Number of comparisons at the same time: each process waits for the other most of the time."""

NO_DIFFERENCE = "same"
"""Stage and cause of a comparison that finds no difference."""


@dataclass(frozen=True)
class TrapComparison:
    """One trap in one implementation with one seed, and the stage and cause named for it."""

    trap: str
    implementation: str
    dataset: str
    seed: int
    stage: str
    cause: str
    evidence: str
    seconds: float


@dataclass(frozen=True)
class PlantedTrap:
    """A trap in one implementation: the modules of the candidate and of its reference."""

    trap: Trap
    implementation: str
    dataset: str
    reference: str
    candidate: str


def planted(
    traps: Sequence[Trap], implementations: Sequence[str], datasets: Sequence[str], folder: Path
) -> list[PlantedTrap]:
    """Returns every trap wherever it occurs; writes their packages into `folder`."""
    return [
        PlantedTrap(
            trap,
            name,
            dataset,
            write_sound(trap, trap.reference(name), folder),
            write_trapped(trap, name, folder),
        )
        for dataset in datasets
        for trap in traps
        for name in trap.edits
        if name in implementations and dataset in trap.datasets
    ]


def compare_traps(
    found: Sequence[PlantedTrap],
    seeds: Sequence[int],
    folder: Path,
    on_done: Callable[[TrapComparison], None] = lambda compared: None,
) -> list[TrapComparison]:
    """Compares each trap with its reference, once for every seed.

    `AT_ONCE` comparisons run at a time. All candidates of a reference share its process.
    """
    groups: dict[tuple, list[PlantedTrap]] = {}
    for instance in found:
        groups.setdefault((instance.dataset, instance.reference), []).append(instance)
    rows = []
    with with_forkserver(), on_path(folder), ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [
            (seed, part) for group in groups.values() for part in _parts(group) for seed in seeds
        ]
        jobs.sort(key=lambda job: -len(job[1]))
        waiting = [pool.submit(_compare_group, part, seed, on_done) for seed, part in jobs]
        for done in as_completed(waiting):
            rows += done.result()
    order = {
        (instance.dataset, instance.trap.name, instance.implementation): place
        for place, instance in enumerate(found)
    }
    return sorted(
        rows, key=lambda row: (order[row.dataset, row.trap, row.implementation], row.seed)
    )


def _parts(group: list[PlantedTrap]) -> Iterator[list[PlantedTrap]]:
    """Splits a large group, so that several threads share it."""
    size = 20
    for start in range(0, len(group), size):
        yield group[start : start + size]


def _compare_group(
    group: list[PlantedTrap], seed: int, on_done: Callable[[TrapComparison], None]
) -> list[TrapComparison]:
    rows = []
    with RemotePort("reference", group[0].reference, timeout=300) as reference:
        for instance in group:
            rows.append(_compare_trap(instance, reference, seed))
            on_done(rows[-1])
    return rows


def _compare_trap(instance: PlantedTrap, reference: RemotePort, seed: int) -> TrapComparison:
    began = time.monotonic()
    setting = ComparisonSetting(
        dataset=instance.dataset, steps=STEPS, seed=seed, first_only=True, timeout=300
    )
    try:
        parity = compare(reference, instance.candidate, setting, explain=explain)
    except UserError as error:
        named = "error", "", str(error)
    else:
        first = parity.first_different
        likeliest = parity.explanations[0] if parity.explanations else None
        named = (
            first.name if first else NO_DIFFERENCE,
            likeliest.cause if likeliest else "unknown" if first else NO_DIFFERENCE,
            likeliest.evidence if likeliest else str(first.difference) if first else "",
        )
    return TrapComparison(
        instance.trap.name,
        instance.implementation,
        instance.dataset,
        seed,
        *named,
        time.monotonic() - began,
    )


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Adds a folder to the import path, also to that of the ports' processes."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
