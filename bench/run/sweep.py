"""Measures throughput against size: the same rounds at several batch sizes or sample lengths."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console

from bench.data.noise import noise_dataset
from bench.durable import write_text
from bench.process.group import call_in_child
from bench.results.layout import FOLDERS, FORMAT
from bench.run.environment import describe_environment
from bench.run.rounds import Plan, measure_rounds
from bench.run.variants import Variant

ROUNDS = 8
SECONDS = 0.2
BATCHES = 8
"""Number of batches in a pass: enough for calls of several steps."""

BASE_MIB = 420
"""Memory of a training before its first batch, in MiB. TensorFlow takes it; processes share little
of it."""

BYTES_PER_VALUE = 200
"""Memory for every value of a batch, in bytes: the batch, its copies in the input pipeline,
activations and gradients. Measured on large, and rounded up: 650 to 720 MiB at 1.92 million values
in the default and tuned profiles."""


@dataclass(frozen=True)
class SweepSize:
    """One point of a sweep."""

    batch_size: int
    length: int

    @property
    def values(self) -> int:
        """Number of values in a batch."""
        return self.batch_size * self.length

    @property
    def name(self) -> str:
        """The stem of its files."""
        return f"{self.batch_size}x{self.length}"

    def estimated_mib(self, trainings: int) -> float:
        """Returns the memory of this number of trainings at once, in MiB."""
        return trainings * (BASE_MIB + self.values * BYTES_PER_VALUE / 2**20)


def sizes_of(
    batches: Sequence[int], lengths: Sequence[int], batch_size: int, length: int
) -> list[SweepSize]:
    """Returns the points of a sweep over batch sizes at one length, and over lengths at one batch
    size, each once."""
    sizes = [
        *(SweepSize(batch, length) for batch in batches),
        *(SweepSize(batch_size, other) for other in lengths),
    ]
    return sorted(dict.fromkeys(sizes), key=lambda size: (size.values, size.batch_size))


def run_sweep(
    sizes: list[SweepSize],
    variants: list[Variant],
    folder: Path,
    console: Console,
    available_mib: Callable[[], float] = lambda: psutil.virtual_memory().available / 2**20,
) -> list[str]:
    """Measures all sizes into `folder`, and first empties it of an earlier sweep. Returns messages
    that say what was skipped."""
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    skipped = []
    for number, size in enumerate(sizes, start=1):
        needed, available = size.estimated_mib(len(variants)), available_mib()
        if needed > available:
            skipped.append(
                f"{size.name}: skipped, {len(variants)} trainings at once would take about "
                f"{needed / 1024:.1f} GiB, and {available / 1024:.1f} GiB are free. Fewer --impl "
                "or one --profile take less."
            )
            console.print(skipped[-1], highlight=False, soft_wrap=True)
            continue
        with (
            console.status("") as status,
            tempfile.TemporaryDirectory(prefix="bench-sweep-") as scratch,
        ):
            head = f"{number}/{len(sizes)}  batch {size.batch_size}, length {size.length:,}"
            status.update(f"{head}: data")

            def show(what: str, share: float, status=status, head=head) -> None:
                status.update(f"{head}: {what}, {share:.0%} done")

            dataset = call_in_child(
                noise_dataset,
                size.name,
                size.length,
                BATCHES * size.batch_size,
                size.batch_size,
                Path(scratch),
            )
            records = measure_rounds(
                variants,
                dataset,
                Plan(ROUNDS, SECONDS),
                folder,
                show,
                batch_size=size.batch_size,
            )
        failed = [
            f"{record.name} failed ({record.reason})" for record in records if record.status != "ok"
        ]
        console.print(
            f"{head}: {'; '.join(failed) or 'measured'}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    write_text(
        folder / "sweep.json",
        json.dumps(
            {
                "format": FORMAT,
                "sizes": [[size.batch_size, size.length] for size in sizes],
                "skipped": skipped,
                **call_in_child(describe_environment),
            },
            indent=2,
        ),
    )
    return skipped
