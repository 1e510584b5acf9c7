"""How far a comparison is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SHARES = {
    "loading": 8,
    "data": 2,
    "variables": 0,
    "initial weights": 1,
    "forward": 2,
    "loss": 1,
    "gradients": 1,
    "update": 4,
    "curve": 8,
    "metrics": 1,
}
"""About how long the stages of a comparison take, relative to each other."""


@contextlib.contextmanager
def stage_progress(
    console: Console, shares: dict[str, int] = SHARES
) -> Iterator[Callable[[str], None]]:
    """A bar that is told the name of every stage before it begins; `shares` are the stages with their relative times."""
    progress = Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        speed_estimate_period=600,
        transient=True,
        disable=not console.is_terminal,
    )
    names = list(shares)

    def on_stage(name: str) -> None:
        done = sum(shares[earlier] for earlier in names[: names.index(name)])
        progress.update(bar, completed=done, description=name)

    with progress:
        bar = progress.add_task("", total=sum(shares.values()))
        yield on_stage


@contextlib.contextmanager
def share_progress(console: Console, what: str) -> Iterator[Callable[[float], None]]:
    """A bar that is told which share is done."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=600,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(bar, completed=share)
