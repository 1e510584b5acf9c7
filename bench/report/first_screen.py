"""The first screen of the page: each question with its answer and its picture."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.report.cost_plots import throughput_plot
from bench.report.finding import Answer
from bench.report.loss_plot import Trained, loss_plot
from bench.report.parity_grid import ParityGrid, parity_grid
from bench.report.theme import figure_html
from bench.results.comparisons import StoredComparison


@dataclass(frozen=True)
class Panel:
    """An answer with its picture.

    Attributes:
        answer: the question and its answer.
        plot: the picture as HTML, or empty.
        grid: the picture as a grid, or None.
        label: what the picture shows, for those who do not see it.
        notes: how to read it, in sentences.
    """

    answer: Answer
    plot: str = ""
    grid: ParityGrid | None = None
    label: str = ""
    notes: tuple[str, ...] = ()


def panels(
    answers: list[Answer],
    shown: Trained | None,
    comparisons: list[StoredComparison],
    throughput: pd.DataFrame,
) -> list[Panel]:
    """Returns the three panels, in the order of `bench.report.answers.answers`."""
    why, same, cost = answers
    return [_why(why, shown), _same(same, comparisons), _cost(cost, throughput)]


def _why(answer: Answer, shown: Trained | None) -> Panel:
    if shown is None:
        return Panel(answer)
    notes = (
        f"Loss of {shown.dataset} over training steps, seed {shown.seed}: a full line is a "
        "training with logits, a dashed line one with activated outputs. Diamonds are evaluations. "
        "The loss of a step goes up and down with the error rate of its batch.",
        shown.agreement,
    )
    return Panel(
        answer,
        plot=figure_html(loss_plot(shown)),
        label=shown.text,
        notes=tuple(note for note in notes if note),
    )


def _same(answer: Answer, comparisons: list[StoredComparison]) -> Panel:
    if not comparisons:
        return Panel(answer)
    references = dict.fromkeys(one.reference for one in comparisons)
    return Panel(
        answer,
        grid=parity_grid(comparisons),
        label="Verdict of each stage of parity",
        notes=(
            f"A column is a port, compared with {', '.join(references)} before any training: the "
            "weights are copied from one to the other, and both run with one thread.",
        ),
    )


def _cost(answer: Answer, throughput: pd.DataFrame) -> Panel:
    if not len(throughput):
        return Panel(answer)
    datasets = " and ".join(dict.fromkeys(throughput["dataset"]))
    return Panel(
        answer,
        plot=figure_html(throughput_plot(throughput)),
        label=f"Samples per second of each implementation on {datasets}, by default and tuned, and "
        "the floor. The tables have the numbers.",
        notes=(
            "Samples per second: medians over rounds, whiskers are 95 % intervals. Warm-up, "
            "evaluation, checkpoints and graph building are left out. The floor is the same "
            "network in a loop within one call, on one batch in memory.",
        ),
    )
