"""Progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextlib.contextmanager
def stage_progress(console: Console, shares: dict[str, int]) -> Iterator[Callable[[str], None]]:
    """Shows a bar, and yields a function that is called with the name of every stage before it
    begins.

    `shares` has each stage's relative time, in the order of the stages.
    """
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
    """Shows a bar, and yields a function that is called with the share that is done."""
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
