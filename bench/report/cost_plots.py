"""The plots of the page that show costs: throughput, the parts of a step, and scaling."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from bench.measure.step_breakdown import PARTS
from bench.measure.throughput import AGAIN, FLOOR
from bench.report.frames import groups
from bench.report.rounds import parts_of, with_interval
from bench.report.theme import (
    BLUE,
    GRAY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    color_of,
    escaped,
    lay_out,
)

PART_COLORS = {
    "kernels": BLUE,
    "input": ORANGE,
    "runtime": PURPLE,
    "api": VERMILLION,
    "python": GRAY,
}
PROFILE_COLORS = {"default": SKY, "tuned": BLUE}


def throughput_plot(throughput: pd.DataFrame) -> go.Figure:
    """Returns bars of samples per second with 95 % intervals, and the floor as a line.

    Each dataset has a part with an axis of its own, each implementation a pair of bars.
    """
    datasets = list(dict.fromkeys(throughput["dataset"]))
    figure = make_subplots(
        cols=len(datasets), shared_yaxes=True, horizontal_spacing=0.1, column_titles=datasets
    )
    figure.for_each_annotation(lambda title: title.update(text=escaped(title.text)))
    for column, dataset in enumerate(datasets, start=1):
        _add_throughput(figure, throughput[throughput["dataset"] == dataset], column)
    lay_out(figure)
    figure.update_layout(
        margin={"l": 8, "r": 12, "t": 24, "b": 34},
        legend={"y": -0.12, "x": 0.5, "xanchor": "center", "yanchor": "top"},
        bargap=0.25,
    )
    figure.update_annotations(font_size=12)
    figure.update_yaxes(automargin=True, autorange="reversed", ticksuffix="  ")
    figure.update_xaxes(tickformat="~s", nticks=4, tickangle=0)
    return figure


def _add_throughput(figure: go.Figure, rows: pd.DataFrame, column: int) -> None:
    ports = rows[~rows["profile"].isin([FLOOR, AGAIN])]
    for profile, color in PROFILE_COLORS.items():
        own = ports[ports["profile"] == profile]
        if len(own):
            figure.add_bar(**_bars(own, profile, color), col=column, row=1, showlegend=column == 1)
    floor = rows.loc[rows["profile"] == FLOOR, "samples_per_second"]
    for value in floor:
        figure.add_vline(
            x=value, col=column, row=1, line={"dash": "dot", "width": 2, "color": VERMILLION}
        )
    if column == 1 and len(floor):
        figure.add_scatter(
            x=[None], y=[None], mode="lines", name="the floor",
            line={"dash": "dot", "width": 2, "color": VERMILLION},
        )  # fmt: skip
    highest = max([0, *floor, *ports["high"].fillna(0), *ports["samples_per_second"]])
    figure.update_xaxes(range=[0, 1.08 * highest], col=column)


def _bars(rows: pd.DataFrame, profile: str, color: str) -> dict:
    """Returns the bars of a profile: how long they are, their intervals, and their looks."""
    middle = rows["samples_per_second"]
    intervals = {
        "type": "data",
        "symmetric": False,
        "array": (rows["high"] - middle).tolist(),
        "arrayminus": (middle - rows["low"]).tolist(),
    }
    return {
        "y": [escaped(name).replace(" (", "<br>(") for name in rows["implementation"]],
        "x": middle.tolist(),
        "orientation": "h",
        "name": profile,
        "legendgroup": profile,
        "marker": {"color": color, "line": {"color": BLUE, "width": 1}},
        "error_x": intervals if rows["low"].notna().any() else None,
        "customdata": [with_interval(row, "samples_per_second", 0) for _, row in rows.iterrows()],
        "hovertemplate": "%{y}, %{fullData.name}: %{customdata} samples/s<extra></extra>",
    }


def tax_plot(throughput: pd.DataFrame, dataset: str) -> go.Figure:
    """Returns the parts of a step in ms, stacked, with one bar per variant."""
    parts = parts_of(throughput)
    rows = parts[parts["dataset"] == dataset]
    figure = go.Figure()
    names = [
        f"{escaped(name)} {escaped(profile)}" if profile != FLOOR else "the floor"
        for name, profile in zip(rows["implementation"], rows["profile"])
    ]
    for part in PARTS:
        figure.add_bar(
            x=rows[f"{part}_ms"].tolist(),
            y=names,
            orientation="h",
            name=part,
            marker_color=PART_COLORS[part],
            hovertemplate=f"%{{y}}, {part}: %{{x:.3f}} ms<extra></extra>",
        )
    lay_out(figure, "ms a step")
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_yaxes(automargin=True, autorange="reversed", ticksuffix="  ")
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
    lay_out(figure, "workers")
    figure.update_xaxes(tickvals=sorted(set(rows["workers"])))
    figure.update_yaxes(title="samples per second", rangemode="tozero")
    return figure
