"""The gallery in full: traps against their references and alone, and sound ports alone, into raw rows."""

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
from bench.implementations import IMPLEMENTATIONS
from bench.process.forkserver import with_forkserver
from bench.results import cells as raw
from bench.task import PROFILES, UserError
from bench.traps.comparison import PlantedTrap, TrapComparison, compare_traps, planted
from bench.traps.injection import write_sound, write_trapped
from bench.traps.trap import Trap

COMPARED, ALONE, CLEAN = "compared.csv", "alone.csv", "clean.csv"
"""The raw rows in the folder of a full run."""

STORED = 20
"""Rows after which they are written."""


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
    """Measures what is asked for, and stores a row for each; rows of other traps, APIs, datasets and seeds stay."""
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
    """A run of hours that is stopped keeps what it had found."""
    bar, rows, one = progress.add_task("compared", total=len(found) * len(seeds)), [], Lock()

    def keep(compared: TrapComparison) -> None:
        with one:  # comparisons run in threads
            rows.append(asdict(compared))
            progress.advance(bar)
            if len(rows) % STORED == 0:
                store(path, rows[-STORED:])

    store(path, [asdict(row) for row in compare_traps(found, seeds, scratch, keep)])


def _alone_jobs(
    traps, implementations, datasets, seeds, scratch: Path
) -> Iterable[tuple[dict, str]]:
    """Every trap and, to know what it does to accuracy, the same port without it."""
    for dataset in datasets:
        sound: dict[str, None] = {}
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
                    if (module, seed) not in sound:
                        sound[module, seed] = None
                        yield {"trap": f"sound:{module}", **identity}, module
                    yield (
                        {"trap": trap.name, "sound": f"sound:{module}", **identity},
                        write_trapped(trap, name, scratch),
                    )


def _is_own_default(trap: Trap, name: str) -> bool:
    """Whether the trap is the API's own default, so that the port without its change is the port with it."""
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
    found = diagnosis.explanations
    return {
        "state": diagnosis.state,
        "causes": " ".join(entry.cause for entry in found),
        "evidence": found[0].evidence if found else "",
        "accuracy": diagnosis.ended.accuracy if diagnosis.ended else None,
        "loss": diagnosis.ended.loss if diagnosis.ended else None,
        "right": diagnosis.ended.right if diagnosis.ended else None,
        "slowed": diagnosis.slowed,
        "seconds": diagnosis.seconds,
    }


def store(path: Path, rows: list[dict]) -> None:
    """Adds rows to a file, in the place of those of the same trap, implementation, profile, dataset and seed."""
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
    raw.write_text(path, new.to_csv(index=False))


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
