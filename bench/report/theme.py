"""The looks of all pictures: colours that the colour-blind tell apart, axes and text."""

from __future__ import annotations

import html

import plotly.graph_objects as go
import plotly.io

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
)  # fmt: skip
GRAY = "#808080"
"""The colours of Okabe and Ito. Blue, vermillion and green can be seen on white and on black."""

COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""Colours of implementations, in their order."""

CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


def color_of(implementations: list[str]) -> dict[str, str]:
    """Returns the colour of each implementation, which is the same in every picture."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(implementations)}


def color_of_outputs(outputs: str) -> str:
    """Returns the colour of what the last layer hands to the loss."""
    return BLUE if outputs == "logits" else VERMILLION


def faint(color: str, opacity: float = 0.25) -> str:
    """Returns a colour `#rrggbb` that what lies behind it shows through."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def escaped(text: str) -> str:
    """Returns text in which plotly finds no tags or entities."""
    return html.escape(text, quote=False)


def lay_out(figure: go.Figure, x_title: str = "") -> None:
    """Sets margins, legend and text of a plot. The page sets its size and its ink."""
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 55, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.2, "font": {"size": 11}},
        font={"size": 12, "family": "system-ui, sans-serif"},
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title)


def figure_html(figure: go.Figure) -> str:
    """Returns a plot as a part of a page that has plotly; it is as large as its place there."""
    return plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, config=CONFIG)
