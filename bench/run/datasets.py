"""Takes the datasets of a run from the cache, or makes them."""

from __future__ import annotations

import time

from rich.console import Console

from bench.data.source import Source, Spec
from bench.data.store import make_dataset, open_dataset
from bench.run.progress import share_progress
from bench.task import Dataset


def prepare_dataset(source: Source, spec: Spec, console: Console) -> Dataset:
    """Returns the cached dataset, or makes it.

    Raises:
        UserError: The samples cannot be drawn, or cannot be written.
    """
    dataset = open_dataset(source, spec)
    if dataset is None:
        began = time.monotonic()
        with share_progress(console, f"making the dataset {spec.name}") as on_progress:
            dataset = make_dataset(source, spec, on_progress)
        console.print(
            f"made dataset {spec.name} ({source.name}): {dataset.train.samples:,} + "
            f"{dataset.evaluation.samples:,} samples in {time.monotonic() - began:.0f} s",
            highlight=False,
        )
    return dataset
