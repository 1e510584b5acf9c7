"""The curves as one PNG, for places that cannot show a page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from bench.durable import write_bytes
from bench.report.curve_lines import CurveLine, colors_of, curve_lines

matplotlib.use("Agg")
from matplotlib import pyplot as plt

LINES: dict[str, Any] = {"logits": "-", "activated": (0, (4, 2))}
"""Line style by kind of outputs: full, or dashes of 4 points with gaps of 2."""


def draw_curves(curves: pd.DataFrame, path: Path) -> None:
    """Writes a picture of evaluation loss and accuracy over epochs, per dataset.

    Full lines are cells with logits, dashed lines those with activated outputs. A line is the
    median of the implementations that train the same network, in the band that they lie in.
    """
    datasets = list(dict.fromkeys(curves["dataset"]))
    figure, axes = plt.subplots(
        2, len(datasets), figsize=(5.5 * len(datasets), 7), squeeze=False, sharex="col"
    )
    every = curve_lines(curves, "epoch", "accuracy")
    colors = colors_of(every)
    for column, dataset in enumerate(datasets):
        cells = curves[curves["dataset"] == dataset]
        loss, accuracy = axes[0][column], axes[1][column]
        _draw(loss, cells, "evaluation_loss", f"{dataset}: evaluation loss", colors)
        loss.set_yscale("symlog", linthresh=0.01)
        _draw(accuracy, cells, "accuracy", f"{dataset}: accuracy", colors)
        accuracy.set_ylim(0, 1.03)
        accuracy.set_xlabel("epoch")
    handles = _handles(every, colors)
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    plt.close(figure)
    write_bytes(path, picture.getvalue())


def _draw(ax: Any, cells: pd.DataFrame, column: str, title: str, colors: dict[str, str]) -> None:
    for line in curve_lines(cells, "epoch", column):
        points, color = line.points, colors[line.name]
        ax.fill_between(points.index, points["low"], points["high"], color=color, alpha=0.25)
        ax.plot(
            points.index,
            points["middle"],
            color=color,
            linewidth=1.8,
            linestyle=LINES[line.outputs],
        )
    ax.set_title(_plain(title))
    ax.grid(alpha=0.3)


def _handles(lines: list[CurveLine], colors: dict[str, str]) -> list:
    """Returns the lines of the legend, one for each name."""
    return [
        plt.Line2D([], [], color=colors[name], linestyle=LINES[line.outputs], label=_plain(name))
        for name, line in {line.name: line for line in lines}.items()
    ]


def _plain(text: str) -> str:
    """Returns text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")
