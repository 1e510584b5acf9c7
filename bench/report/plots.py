"""The interactive plots of the page, as plotly figures."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

from bench.report.pictures import color_of, width_of

GRADIENT_FLOOR = 1e-12
"""Where an exact zero is drawn on the logarithmic axis of gradients; the axis says 0 there."""

CURVES = {
    "evaluation_loss": "Evaluation loss",
    "accuracy": "Accuracy",
    "gradient_norm": "Gradient norm on a fixed batch",
    "saturation": "Share of saturated outputs on a fixed batch",
}


def curve_plots(curves: pd.DataFrame) -> Iterable[tuple[str, go.Figure]]:
    """(title, figure) of each quantity and dataset: a line a cell, full for logits, dashed for activated."""
    for column, title in CURVES.items():
        for dataset, cells in curves.groupby("dataset", sort=False):
            yield f"{title}: {dataset}", _curves(cells, column)


def _curves(cells: pd.DataFrame, column: str) -> go.Figure:
    implementations = list(dict.fromkeys(cells["implementation"]))
    colors, widths = color_of(implementations), width_of(implementations)
    figure = go.Figure()
    named = set()
    for (loss, implementation, seed), cell in cells.groupby(["loss", "implementation", "seed"], sort=False):
        group = f"{implementation}, {loss}"
        values = cell[column]
        figure.add_scatter(
            x=cell["epoch"].tolist(),
            y=(values.clip(lower=GRADIENT_FLOOR) if column == "gradient_norm" else values).tolist(),
            customdata=values.tolist(), mode="lines+markers", name=group, legendgroup=group,
            showlegend=group not in named, marker={"size": widths[implementation] + 2},
            line={"color": colors[implementation], "width": widths[implementation],
                  "dash": "solid" if loss == "logits" else "dash"},
            hovertemplate=f"{group}, seed {seed}<br>epoch %{{x}}: %{{customdata:.6g}}<extra></extra>")
        named.add(group)
    _lay_out(figure, "epoch")
    if column == "evaluation_loss":
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    elif column == "gradient_norm":
        powers = range(-9, 10, 3)
        figure.update_yaxes(type="log", tickvals=[GRADIENT_FLOOR, *(10.0**power for power in powers)],
                            ticktext=["0", *(f"1e{power}" for power in powers)])
    else:
        figure.update_yaxes(range=[-0.03, 1.03])
    return figure


def throughput_plot(results: pd.DataFrame, dataset: str) -> go.Figure:
    """Bars of median samples per second, with the range over cells as whiskers and every cell as a dot."""
    cells = results[(results["dataset"] == dataset) & (results["status"] == "ok")]
    implementations = list(dict.fromkeys(cells["implementation"]))
    values = {name: cells.loc[cells["implementation"] == name, "samples_per_second"].dropna()
              for name in implementations}
    medians = [values[name].median() for name in implementations]
    figure = go.Figure()
    figure.add_bar(
        x=implementations, y=medians, name="median", marker_color=list(color_of(implementations).values()), opacity=0.75,
        error_y={"type": "data", "symmetric": False,
                 "array": [values[name].max() - middle for name, middle in zip(implementations, medians)],
                 "arrayminus": [middle - values[name].min() for name, middle in zip(implementations, medians)]})
    figure.add_scatter(
        x=[name for name in implementations for _ in values[name]],
        y=[value for name in implementations for value in values[name]],
        mode="markers", name="cells", marker={"color": "#222", "size": 5})
    _lay_out(figure, "")
    figure.update_yaxes(title="samples per second", rangemode="tozero")
    figure.update_layout(showlegend=False)
    return figure


def _lay_out(figure: go.Figure, x_title: str) -> None:
    figure.update_layout(
        template="plotly_white", height=340, margin={"l": 55, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.2, "font": {"size": 11}}, font={"size": 12}, hovermode="closest")
    figure.update_xaxes(title=x_title)
