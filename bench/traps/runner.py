"""The full run of the gallery: a row for every comparison and for every watched training.

Traps are compared with their references, and trained without a reference ("alone"); sound ports are
trained as well, to count false alarms.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.diagnose.diagnose import DiagnosisSetting, diagnose
from bench.durable import write_text
from bench.implementations import IMPLEMENTATIONS
from bench.process.forkserver import with_forkserver
from bench.task import PROFILES, UserError
from bench.traps.comparison import PlantedTrap, TrapComparison, compare_traps, planted
from bench.traps.injection import write_sound, write_trapped
from bench.traps.trap import Trap

COMPARED, ALONE, CLEAN = "compared.csv", "alone.csv", "clean.csv"
"""Files with the rows of a full run, in its folder."""

STORED = 20
"""Number of rows after which the file is written."""


def measure_traps(
    traps: Sequence[Trap],
    implementations: Sequence[str],
    datasets: Sequence[str],
    seeds: Sequence[int],
    alone: bool,
    clean: int,
    folder: Path,
    console: Console,
) -> None:
    """Runs the chosen traps and stores their rows; the rows of all others stay.

    Args:
        traps: traps to compare with their references.
        implementations: APIs to insert them into.
        datasets: datasets to train on.
        seeds: seeds of every comparison and of every training of a trap.
        alone: whether to train the traps without a reference as well.
        clean: number of seeds with which sound ports are trained.
        folder: folder of the rows.
        console: where the progress is shown.
    """
    with tempfile.TemporaryDirectory(prefix="bench-traps-") as scratch:
        sys.path.insert(0, scratch)
        try:
            found = planted(traps, implementations, datasets, Path(scratch))
            with _progress(console) as progress, with_forkserver():
                _compare(found, seeds, Path(scratch), folder / COMPARED, progress)
                if alone:
                    jobs = [*_alone_jobs(traps, implementations, datasets, seeds, Path(scratch))]
                    _train(jobs, folder / ALONE, progress, "alone")
                if clean:
                    jobs = [
                        (
                            {
                                "trap": "none",
                                "implementation": name,
                                "profile": profile,
                                "dataset": dataset,
                                "seed": seed,
                            },
                            module,
                        )
                        for dataset in datasets
                        for name in implementations
                        for seed in range(clean)
                        for profile, module in zip(
                            PROFILES, (IMPLEMENTATIONS[name], f"{IMPLEMENTATIONS[name]}.tuned")
                        )
                    ]
                    _train(jobs, folder / CLEAN, progress, "sound ports")
        finally:
            sys.path.remove(scratch)


def _compare(
    found: list[PlantedTrap], seeds: Sequence[int], scratch: Path, path: Path, progress: Progress
) -> None:
    """Compares the traps; stores rows as they come, so that a stopped run keeps them."""
    bar = progress.add_task("compared", total=len(found) * len(seeds))
    rows: list[dict] = []
    lock = Lock()

    def keep(compared: TrapComparison) -> None:
        with lock:  # comparisons run in threads
            rows.append(asdict(compared))
            progress.advance(bar)
            if len(rows) % STORED == 0:
                store(path, rows[-STORED:])

    store(path, [asdict(row) for row in compare_traps(found, seeds, scratch, keep)])


def _alone_jobs(
    traps: Sequence[Trap],
    implementations: Sequence[str],
    datasets: Sequence[str],
    seeds: Sequence[int],
    scratch: Path,
) -> Iterable[tuple[dict, str]]:
    """Yields (identity, module) of every trap, and of the same port without it.

    The second shows what the trap does to the accuracy.
    """
    for dataset in datasets:
        yielded: set[tuple[str, int]] = set()
        for trap in traps:
            for name in trap.edits:
                if name not in implementations or dataset not in trap.datasets:
                    continue
                module = (
                    write_sound(trap, name, scratch)
                    if not _is_own_default(trap, name)
                    else IMPLEMENTATIONS[name]
                )
                for seed in seeds:
                    identity = {
                        "implementation": name,
                        "profile": "default",
                        "dataset": dataset,
                        "seed": seed,
                    }
                    if (module, seed) not in yielded:
                        yielded.add((module, seed))
                        yield {"trap": f"sound:{module}", **identity}, module
                    yield (
                        {"trap": trap.name, "sound": f"sound:{module}", **identity},
                        write_trapped(trap, name, scratch),
                    )


def _is_own_default(trap: Trap, name: str) -> bool:
    """Returns whether the trap is the API's own default, so that it needs no change of the port."""
    return not trap.edits[name].strip()


def _train(jobs: list[tuple[dict, str]], path: Path, progress: Progress, what: str) -> None:
    bar, rows = progress.add_task(what, total=len(jobs)), []
    for identity, module in jobs:
        rows.append({**identity, **_diagnosed(module, identity["dataset"], identity["seed"])})
        progress.advance(bar)
        if len(rows) % STORED == 0:
            store(path, rows)
    store(path, rows)


def _diagnosed(module: str, dataset: str, seed: int) -> dict:
    try:
        diagnosis = diagnose(module, DiagnosisSetting(dataset=dataset, seed=seed))
    except UserError as error:
        return {"state": "error", "causes": "", "evidence": str(error)}
    found, final = diagnosis.explanations, diagnosis.final_state
    return {
        "state": diagnosis.state,
        "causes": " ".join(entry.cause for entry in found),
        "evidence": found[0].evidence if found else "",
        "accuracy": final.accuracy if final else None,
        "loss": final.loss if final else None,
        "right": final.right if final else None,
        "slowed": diagnosis.slowed,
        "seconds": diagnosis.seconds,
    }


def store(path: Path, rows: list[dict]) -> None:
    """Adds rows to a file; they replace rows of the same trap, API, profile, dataset and seed."""
    keys = ["trap", "implementation", "profile", "dataset", "seed"]
    new = pd.DataFrame(rows)
    if new.empty:
        return
    if path.is_file():
        old = pd.read_csv(path)
        keys = [key for key in keys if key in new and key in old]
        taken = set(map(tuple, new[keys].astype(str).to_numpy()))
        old = old[[tuple(row) not in taken for row in old[keys].astype(str).to_numpy()]]
        new = pd.concat([old, new])
    write_text(path, new.to_csv(index=False))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=600,
    )
