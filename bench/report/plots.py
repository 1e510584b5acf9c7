"""The interactive plots of the page, as plotly figures."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

from bench.measure.step_breakdown import PARTS
from bench.measure.throughput import AGAIN, FLOOR
from bench.report.frames import groups
from bench.report.pictures import color_of, width_of
from bench.report.rounds import parts_of

GRADIENT_FLOOR = 1e-12
"""Where an exact zero is drawn on the logarithmic axis of gradients; the axis says 0 there."""

CURVES = {
    "evaluation_loss": "Evaluation loss",
    "accuracy": "Accuracy",
    "gradient_norm": "Gradient norm on a fixed batch",
    "saturation": "Share of saturated outputs on a fixed batch",
}


def curve_plots(curves: pd.DataFrame) -> Iterable[tuple[str, go.Figure]]:
    """Yields the title and the figure of each quantity and dataset, with one line per cell.

    Full lines are cells with logits, dashed lines those with activated outputs.
    """
    for column, title in CURVES.items():
        for dataset, cells in curves.groupby("dataset", sort=False):
            yield f"{title}: {dataset}", _curves(cells, column)


def _curves(cells: pd.DataFrame, column: str) -> go.Figure:
    implementations = list(dict.fromkeys(cells["implementation"]))
    colors, widths = color_of(implementations), width_of(implementations)
    figure = go.Figure()
    named = set()
    default = (
        cells[cells["profile"] == "default"] if (cells["profile"] == "default").any() else cells
    )
    for (outputs, implementation, profile, seed), cell in groups(
        default, ["outputs", "implementation", "profile", "seed"]
    ):
        group = (
            f"{implementation}, {outputs}"
            if profile == "default"
            else f"{implementation} {profile}, {outputs}"
        )
        values = cell[column]
        figure.add_scatter(
            x=cell["epoch"].tolist(),
            y=(values.clip(lower=GRADIENT_FLOOR) if column == "gradient_norm" else values).tolist(),
            customdata=values.tolist(),
            mode="lines+markers",
            name=escaped(group),
            legendgroup=group,
            meta=str(seed),
            showlegend=group not in named,
            marker={"size": widths[implementation] + 2},
            line={
                "color": colors[implementation],
                "width": widths[implementation],
                "dash": "solid" if outputs == "logits" else "dash",
            },
            hovertemplate="%{fullData.name}, seed %{meta}<br>epoch %{x}: %{customdata:.6g}"
            "<extra></extra>",
        )
        named.add(group)
    _lay_out(figure, "epoch")
    if column == "evaluation_loss":
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    elif column == "gradient_norm":
        powers = range(-9, 10, 3)
        figure.update_yaxes(
            type="log",
            tickvals=[GRADIENT_FLOOR, *(10.0**power for power in powers)],
            ticktext=["0", *(f"1e{power}" for power in powers)],
        )
    else:
        figure.update_yaxes(range=[-0.03, 1.03])
    return figure


PART_COLORS = {
    "kernels": "#1b6ca8",
    "input": "#e8871e",
    "runtime": "#8b3a8b",
    "api": "#a03030",
    "python": "#777777",
}


def throughput_plot(throughput: pd.DataFrame, dataset: str) -> go.Figure:
    """Returns bars of samples per second, with 95 % intervals, and the floor as a line.

    Each implementation is a group of bars, each profile a colour.
    """
    rows = throughput[
        (throughput["dataset"] == dataset) & ~throughput["profile"].isin([FLOOR, AGAIN])
    ]
    figure = go.Figure()
    for profile, color in (("default", "#9db8d2"), ("tuned", "#1b6ca8")):
        own = rows[rows["profile"] == profile]
        if len(own):
            figure.add_bar(
                x=own["implementation"].map(escaped).tolist(),
                y=own["samples_per_second"].tolist(),
                name=profile,
                marker_color=color,
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": (own["high"] - own["samples_per_second"]).tolist(),
                    "arrayminus": (own["samples_per_second"] - own["low"]).tolist(),
                },
            )
    _lay_out(figure, "")
    floor = throughput[(throughput["dataset"] == dataset) & (throughput["profile"] == FLOOR)][
        "samples_per_second"
    ]
    for value in floor:
        figure.add_hline(
            y=value,
            line_dash="dot",
            annotation_text=f"the floor: {value:,.0f}",
            annotation_position="top left",
        )
    highest = max([0, *floor, *rows["high"].fillna(0), *rows["samples_per_second"]])
    figure.update_yaxes(title="samples per second", range=[0, 1.12 * highest])
    return figure


def tax_plot(throughput: pd.DataFrame, dataset: str) -> go.Figure:
    """Returns the parts of a step in ms, stacked, with one bar per variant."""
    rows = parts_of(throughput)
    rows = rows[rows["dataset"] == dataset] if len(rows) else rows
    figure = go.Figure()
    names = [
        f"{escaped(name)}<br>{escaped(profile)}" if profile != FLOOR else "the floor"
        for name, profile in zip(rows.get("implementation", []), rows.get("profile", []))
    ]
    for part in PARTS if len(rows) else ():
        figure.add_bar(
            x=names,
            y=rows[f"{part}_ms"].tolist(),
            name=part,
            marker_color=PART_COLORS[part],
            hovertemplate=f"{part}: %{{y:.3f}} ms<extra></extra>",
        )
    _lay_out(figure, "")
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="ms a step")
    return figure


def scaling_plot(scaling: pd.DataFrame, dataset: str) -> go.Figure:
    """Returns samples per second over the number of workers, with the range over seeds.

    There is one line per implementation. A dotted line shows the throughput if every worker added
    as much as the first.
    """
    rows = scaling[scaling["dataset"] == dataset]
    colors = color_of(list(dict.fromkeys(rows["implementation"])))
    figure = go.Figure()
    for (implementation,), own in groups(rows, ["implementation"]):
        workers, line = own["workers"].tolist(), {"color": colors[implementation]}
        figure.add_scatter(
            x=workers,
            y=own["median"].tolist(),
            mode="lines+markers",
            name=escaped(implementation),
            line=line,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (own["highest"] - own["median"]).tolist(),
                "arrayminus": (own["median"] - own["lowest"]).tolist(),
            },
        )
        if workers[0] == 1:
            figure.add_scatter(
                x=workers,
                y=[count * own["median"].iloc[0] for count in workers],
                mode="lines",
                showlegend=False,
                line={**line, "dash": "dot", "width": 1},
                hoverinfo="skip",
            )
    _lay_out(figure, "workers")
    figure.update_xaxes(tickvals=sorted(set(rows["workers"])))
    figure.update_yaxes(title="samples per second", rangemode="tozero")
    return figure


def escaped(text: str) -> str:
    """Returns text in which plotly finds no tags or entities."""
    return html.escape(text, quote=False)


def _lay_out(figure: go.Figure, x_title: str) -> None:
    figure.update_layout(
        template="plotly_white",
        height=340,
        margin={"l": 55, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.2, "font": {"size": 11}},
        font={"size": 12},
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title)
