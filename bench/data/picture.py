"""A picture of two samples of each class of each dataset."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  the backend is chosen before pyplot is imported

from bench.data.source import COUNTS_PER_MV, FREQUENCY  # noqa: E402
from bench.task import Dataset  # noqa: E402

EACH = 2
CLASSES = 4
SHOWN = 3600
"""Values of one's own samples, and classes, that are drawn."""


def draw_samples(datasets: list[Dataset], path: Path, own: bool = False) -> None:
    """A column a dataset, a row a sample, in mV over seconds; of long samples the first ten seconds. Data of one's `own`: as they
    are, of the first classes."""
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
                f"{dataset.name}, class {label}: {'with' if label else 'no'} premature ventricular beat",
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
        for label in range(min(dataset.classes, CLASSES))
        for row in np.flatnonzero(dataset.probe.labels == label)[:EACH]
    ]
    figure, axes = plt.subplots(len(rows), 1, figsize=(8, 1.75 * len(rows)), squeeze=False)
    for ax, row in zip(axes[:, 0], rows):
        shown = dataset.probe.signal[row, :SHOWN]
        ax.plot(shown, marker="." if len(shown) < 50 else None, linewidth=0.9)
        ax.set_title(f"{dataset.name}, class {dataset.probe.labels[row]}", fontsize=10)
        ax.grid(alpha=0.3)
    axes[-1, 0].set_xlabel(
        "value" if dataset.length <= SHOWN else f"first {SHOWN:,} of {dataset.length:,} values"
    )
    _save(figure, path)


def _save(figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
