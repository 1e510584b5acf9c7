"""The curves as one PNG, for places that cannot show a page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from bench.durable import write_bytes
from bench.report.frames import groups

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLORS = ("#1b6ca8", "#e8871e", "#2e8b57", "#8b3a8b", "#a03030", "#555555")
WIDTHS = (5.0, 3.0, 1.2)
"""Line widths: of curves that lie on one another, the narrower one shows inside the wider."""

LINES: dict[str, Any] = {"logits": "-", "activated": (0, (4, 2))}
"""Line style by kind of outputs: full, or dashes of 4 points with gaps of 2."""


def color_of(implementations: list[str]) -> dict[str, str]:
    """Returns the colour of each implementation, which is the same in every picture."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(implementations)}


def width_of(implementations: list[str]) -> dict[str, float]:
    """Returns the line width of each implementation, the widest first."""
    return {name: WIDTHS[min(place, len(WIDTHS) - 1)] for place, name in enumerate(implementations)}


def draw_curves(curves: pd.DataFrame, path: Path) -> None:
    """Writes a picture of evaluation loss and accuracy over epochs, per dataset.

    Full lines are cells with logits, dashed lines those with activated outputs.
    """
    if (curves["profile"] == "default").any():  # tuned curves lie on them
        curves = curves[curves["profile"] == "default"]
    datasets = list(dict.fromkeys(curves["dataset"]))
    implementations = list(dict.fromkeys(curves["implementation"]))
    colors, widths = color_of(implementations), width_of(implementations)
    figure, axes = plt.subplots(
        2, len(datasets), figsize=(5.5 * len(datasets), 7), squeeze=False, sharex="col"
    )
    for column, dataset in enumerate(datasets):
        for row, (name, title) in enumerate(
            (("evaluation_loss", "evaluation loss"), ("accuracy", "accuracy"))
        ):
            ax = axes[row][column]
            cells = curves[curves["dataset"] == dataset]
            for (outputs, implementation, *_), cell in groups(
                cells, ["outputs", "implementation", "profile", "seed"]
            ):
                ax.plot(
                    cell["epoch"],
                    cell[name],
                    color=colors[implementation],
                    linewidth=widths[implementation],
                    linestyle=LINES[outputs],
                    alpha=0.75,
                )
            ax.set_title(_plain(f"{dataset}: {title}"))
            ax.grid(alpha=0.3)
            if name == "evaluation_loss":
                ax.set_yscale("symlog", linthresh=0.01)
            else:
                ax.set_ylim(0, 1.03)
                ax.set_xlabel("epoch")
    handles = [
        plt.Line2D([], [], color=colors[name], linewidth=widths[name], label=_plain(name))
        for name in implementations
    ]
    handles += [
        plt.Line2D([], [], color="black", linestyle=LINES[outputs], label=outputs)
        for outputs in LINES
        if outputs in set(curves["outputs"])
    ]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    plt.close(figure)
    write_bytes(path, picture.getvalue())


def _plain(text: str) -> str:
    """Returns text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")
