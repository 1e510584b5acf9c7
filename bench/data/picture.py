"""A picture of two samples of each class of each dataset."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from bench.data.source import COUNTS_PER_MV, FREQUENCY
from bench.task import Dataset

matplotlib.use("Agg")  # it needs no screen

EACH = 2
"""Samples of each class that are drawn."""

MAX_CLASSES = 4
"""Largest number of classes of a user's data that are drawn."""

MAX_VALUES = 3600
"""Largest number of values of a user's sample that are drawn."""


def draw_samples(datasets: list[Dataset], path: Path, own: bool = False) -> None:
    """Draws samples of each class of each dataset into the file `path`.

    The picture has a column per dataset and a row per sample, in mV over seconds. Of long samples
    it shows the first ten seconds. With `own`, there is one dataset, of a user's data: its values
    are drawn without units, for the first classes only.
    """
    if own:
        _draw_own(datasets[0], path)
        return
    figure, axes = plt.subplots(
        2 * EACH, len(datasets), figsize=(6.5 * len(datasets), 7), squeeze=False
    )
    for column, dataset in enumerate(datasets):
        rows = [
            row for label in (0, 1) for row in np.flatnonzero(dataset.probe.labels == label)[:EACH]
        ]
        shown = min(dataset.length, 10 * FREQUENCY)
        for ax, row in zip(axes[:, column], rows):
            label = dataset.probe.labels[row]
            ax.plot(
                np.arange(shown) / FREQUENCY,
                dataset.probe.signal[row, :shown] / COUNTS_PER_MV,
                color=("#1b6ca8", "#b3401f")[label],
                linewidth=0.9,
            )
            ax.set_ylabel("mV")
            ax.grid(alpha=0.3)
            ax.set_title(
                f"{dataset.name}, class {label}: "
                f"{'with' if label else 'no'} premature ventricular beat",
                fontsize=10,
            )
        axes[-1, column].set_xlabel(
            "seconds"
            if shown == dataset.length
            else f"first {shown // FREQUENCY} of {dataset.length / FREQUENCY:.0f} seconds"
        )
    _save(figure, path)


def _draw_own(dataset: Dataset, path: Path) -> None:
    rows = [
        row
        for label in range(min(dataset.classes, MAX_CLASSES))
        for row in np.flatnonzero(dataset.probe.labels == label)[:EACH]
    ]
    figure, axes = plt.subplots(len(rows), 1, figsize=(8, 1.75 * len(rows)), squeeze=False)
    for ax, row in zip(axes[:, 0], rows):
        shown = dataset.probe.signal[row, :MAX_VALUES]
        ax.plot(shown, marker="." if len(shown) < 50 else None, linewidth=0.9)
        ax.set_title(f"{dataset.name}, class {dataset.probe.labels[row]}", fontsize=10)
        ax.grid(alpha=0.3)
    axes[-1, 0].set_xlabel(
        "value"
        if dataset.length <= MAX_VALUES
        else f"first {MAX_VALUES:,} of {dataset.length:,} values"
    )
    _save(figure, path)


def _save(figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
