"""The first picture of the page: the loss of every training step, with the bug and without."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from bench.measure.saturation import Constant, alike, right
from bench.report.curve_lines import CurveLine, agreement_text, colors_of, curve_lines
from bench.report.curve_plots import add_lines
from bench.report.findings import Verdict
from bench.report.frames import identity, in_order
from bench.report.theme import VERMILLION, escaped, lay_out
from bench.results.cells import StoredCell

MOST_POINTS = 1000
"""Of longer curves, so many steps are drawn, which are equally far from each other."""

MOST_TICKS = 6
"""Numbers on the axis of losses."""

LEAST_LOSS = 1e-7
"""Smaller losses are drawn here. In float32, a loss of a softmax is 0 or about as large as this."""


@dataclass(frozen=True)
class Trained:
    """The trainings of one dataset with one seed: what the first picture shows.

    Attributes:
        dataset: its name.
        seed: the seed.
        steps: the loss over training steps, a curve for each kind of outputs.
        evaluations: the loss over the same steps, where it was evaluated.
        constants: at which the loss of activated outputs ends, by name.
    """

    dataset: str
    seed: int
    steps: list[CurveLine]
    evaluations: list[CurveLine]
    constants: list[Constant]

    @property
    def text(self) -> str:
        """What the picture shows, for those who do not see it."""
        ends = "; ".join(
            f"{line.name}: from {line.points['middle'].iloc[0]:.4g} to "
            f"{line.points['middle'].iloc[-1]:.4g}"
            for line in self.steps
        )
        marked = "".join(f" Marked: {constant}." for constant in self.constants)
        return f"Loss of {self.dataset} over training steps, seed {self.seed}. {ends}.{marked}"

    @property
    def agreement(self) -> str:
        """By how much the implementations differ, in a sentence."""
        return agreement_text(self.steps)


def step_losses(cells: Iterable[StoredCell]) -> pd.DataFrame:
    """Returns one row per recorded training call: the cell, `global_step` and `loss`."""
    frames = [
        cell.steps[["global_step", "loss"]].assign(**identity(cell.record))
        for cell in cells
        if cell.record.measured
    ]
    return in_order(pd.concat(frames, ignore_index=True)) if frames else pd.DataFrame()


def trained(steps: pd.DataFrame, curves: pd.DataFrame, verdicts: list[Verdict]) -> Trained | None:
    """Returns what the first picture shows, or None if nothing was trained.

    The dataset is the last one on which a training is frozen, or else the last one: large. The seed
    is the first one with which a training is frozen there, or else the first one.

    Args:
        steps: see `step_losses`; with stamped names, as `curves`.
        curves: see `bench.report.frames.curves_frame`.
        verdicts: how the cells ended.
    """
    if steps.empty:
        return None
    dataset, seed = _most_telling(steps, verdicts)
    shown, evaluated = (
        frame[(frame["dataset"] == dataset) & (frame["seed"] == seed)] for frame in (steps, curves)
    )
    own = [
        verdict
        for verdict in verdicts
        if (verdict.cell["dataset"], verdict.cell["seed"]) == (dataset, seed)
    ]
    return Trained(
        dataset,
        seed,
        curve_lines(shown, "global_step", "loss"),
        curve_lines(evaluated, "global_step", "evaluation_loss"),
        _constants(own),
    )


def _most_telling(steps: pd.DataFrame, verdicts: list[Verdict]) -> tuple[str, int]:
    """Returns the dataset and the seed that the first picture shows."""
    frozen = [verdict.cell for verdict in verdicts if verdict.state == "frozen"]
    dataset = frozen[-1]["dataset"] if frozen else steps["dataset"].iloc[-1]
    seeds = [cell["seed"] for cell in frozen if cell["dataset"] == dataset]
    return dataset, int(min(seeds or steps.loc[steps["dataset"] == dataset, "seed"]))


def loss_plot(shown: Trained) -> go.Figure:
    """Returns the loss over training steps, the evaluations, and where a frozen loss ends."""
    figure = go.Figure()
    add_lines(figure, [_thinned(line) for line in shown.steps], "step", LEAST_LOSS, "lines")
    _add_evaluations(figure, shown.evaluations)
    lay_out(figure, "training step")
    highest = max((constant.value for constant in shown.constants), default=0)
    for constant in shown.constants:
        _mark(figure, constant, above=constant.value == highest)
    figure.update_yaxes(type="log", dtick=_ticks(shown.steps), tickformat="~g", title="loss")
    figure.update_xaxes(title_standoff=4)
    figure.update_layout(
        margin={"l": 48, "r": 8, "t": 4, "b": 38},
        legend={"y": 1, "x": 1, "xanchor": "right", "yanchor": "top"},
    )
    return figure


def _ticks(lines: list[CurveLine]) -> str | int:
    """Returns plotly's distance of ticks: few, over one power of ten or over many."""
    values = pd.concat([line.points["middle"].clip(lower=LEAST_LOSS) for line in lines])
    finite = values[np.isfinite(values)]
    powers = math.log10(finite.max() / finite.min()) if len(finite) else 0
    return "D2" if powers < 2 else math.ceil(powers / MOST_TICKS)


def _add_evaluations(figure: go.Figure, lines: list[CurveLine]) -> None:
    colors = colors_of(lines)
    for line in lines:
        figure.add_scatter(
            x=line.points.index.tolist(),
            y=line.points["middle"].clip(lower=LEAST_LOSS).tolist(),
            mode="markers",
            marker={"size": 6, "symbol": "diamond", "color": colors[line.name]},
            name=escaped(line.name),
            showlegend=False,
            hovertemplate="%{fullData.name}, evaluation<br>step %{x}: %{y:.6g}<extra></extra>",
        )


def _mark(figure: go.Figure, constant: Constant, above: bool) -> None:
    """Draws a dotted line at a loss, and names it at its right end, where logits are far below."""
    figure.add_hline(y=constant.value, line={"dash": "dot", "width": 1.5, "color": VERMILLION})
    logarithm = math.log10(constant.value)  # which an annotation takes, unlike a line
    figure.add_annotation(
        text=escaped(str(constant)),
        x=1,
        xref="paper",
        xanchor="right",
        y=logarithm,
        yanchor="bottom" if above else "top",
        yshift=8 if above else -8,
        showarrow=False,
        font_size=12,
    )


def _thinned(line: CurveLine) -> CurveLine:
    every = math.ceil(len(line.points) / MOST_POINTS)
    return CurveLine(**{**vars(line), "points": line.points.iloc[::every]})


def _constants(verdicts: list[Verdict]) -> list[Constant]:
    """Returns where the loss of activated outputs ends: with an output at 1, or with all alike."""
    activated = [verdict for verdict in verdicts if verdict.cell["outputs"] == "activated"]
    if not activated:
        return []
    classes, error = activated[0].classes, 1 - activated[0].cell["accuracy"]
    one_hot = right(classes)
    constants = [Constant(f"{one_hot.formula} + error rate {error:.2f}", one_hot.value + error)]
    if any(verdict.rows is not None and verdict.rows.alike for verdict in activated):
        constants.append(Constant(f"{alike(classes).formula}, outputs alike", alike(classes).value))
    return constants
