"""The plots of the page that show trainings, epoch after epoch and step after step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

from bench.report.curve_lines import CurveLine, agreement_text, colors_of, curve_lines
from bench.report.theme import escaped, faint, lay_out

ZERO = 1e-12
"""Where an exact zero is drawn on a logarithmic axis; the axis says 0 there."""

MOST_TICKS = 12
"""Numbers on the axis of epochs."""

CURVES = {
    "evaluation_loss": "Evaluation loss",
    "accuracy": "Accuracy",
    "gradient_norm": "Gradient norm on a fixed batch",
    "saturation": "Share of saturated outputs on a fixed batch",
}


def curve_plots(curves: pd.DataFrame) -> Iterable[tuple[str, go.Figure, str]]:
    """Yields each quantity on each dataset: the title, the figure, and a sentence about it.

    Blue full lines are trainings with logits, red dashed lines those with activated outputs. The
    sentence says by how much the implementations of one line differ.
    """
    for column, title in CURVES.items():
        for dataset, cells in curves.groupby("dataset", sort=False):
            lines = curve_lines(cells, "epoch", column)
            yield f"{title}: {dataset}", _curves(lines, column), agreement_text(lines)


def _curves(lines: list[CurveLine], column: str) -> go.Figure:
    figure = go.Figure()
    least = ZERO if column == "gradient_norm" else None
    add_lines(figure, lines, "epoch", least, "lines+markers")
    lay_out(figure, "epoch")
    epochs = max((line.points.index.max() for line in lines), default=1)
    figure.update_xaxes(tick0=1, dtick=math.ceil(epochs / MOST_TICKS))
    if column == "evaluation_loss":
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    elif column == "gradient_norm":
        _mark_zero(figure, range(-9, 10, 3))
    else:
        figure.update_yaxes(range=[-0.03, 1.03])
    return figure


def add_lines(
    figure: go.Figure, lines: list[CurveLine], x_name: str, least: float | None, mode: str
) -> None:
    """Adds curves to a plot: the median of the implementations, with the band that they lie in.

    Args:
        figure: the plot.
        lines: the curves.
        x_name: what a hover text calls the horizontal axis.
        least: where smaller values are drawn, for a logarithmic axis.
        mode: plotly's mode of the medians.
    """
    colors, named = colors_of(lines), set()
    for line in lines:
        color = colors[line.name]
        if line.difference > 0:
            figure.add_scatter(**_band(line, color, least))
        figure.add_scatter(
            **_median(line, color, least, x_name), mode=mode, showlegend=line.name not in named
        )
        named.add(line.name)


def _mark_zero(figure: go.Figure, powers: Iterable[int]) -> None:
    """Makes the vertical axis logarithmic, with a 0 where `ZERO` is drawn."""
    ticks = [10.0**power for power in powers]
    figure.update_yaxes(
        type="log", tickvals=[ZERO, *ticks], ticktext=["0", *(f"{tick:.0e}" for tick in ticks)]
    )


def _band(line: CurveLine, color: str, least: float | None) -> dict:
    points = line.points
    low, high = (points[end].clip(lower=least).tolist() for end in ("low", "high"))
    steps = points.index.tolist()
    return {
        "x": steps + steps[::-1],
        "y": high + low[::-1],
        "fill": "toself",
        "fillcolor": faint(color),
        "line": {"width": 0},
        "mode": "lines",
        "legendgroup": line.name,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _median(line: CurveLine, color: str, least: float | None, x_name: str) -> dict:
    points = line.points
    return {
        "x": points.index.tolist(),
        "y": points["middle"].clip(lower=least).tolist(),
        "customdata": [_told(*values) for values in points.to_numpy().tolist()],
        "name": escaped(line.name),
        "legendgroup": line.name,
        "meta": f"seed {line.seed}, {_whose(line)}",
        "marker": {"size": 5},
        "line": {
            "color": color,
            "width": 1.8,
            "dash": "solid" if line.outputs == "logits" else "dash",
        },
        "hovertemplate": f"%{{fullData.name}}, %{{meta}}<br>{x_name} %{{x}}: %{{customdata}}"
        "<extra></extra>",
    }


def _told(middle: float, low: float, high: float) -> str:
    return f"{middle:.6g}" if low == high else f"{middle:.6g} [{low:.6g}, {high:.6g}]"


def _whose(line: CurveLine) -> str:
    names = line.implementations
    return escaped(names[0]) if len(names) == 1 else f"{len(names)} implementations"
