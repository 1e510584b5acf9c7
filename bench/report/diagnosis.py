"""Causes of failed trainings: as text, as a table of the report, and as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.diagnose.cells import final_state
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.outputs import explain_outputs, state_of
from bench.parity.result import Explanation
from bench.results.cells import StoredCell

WHY = "Why does it not train?"
UNKNOWN = "not known: no rule applies; compare it with a port that trains (python -m bench parity)"
WIDTH = 110


def as_lines(explanations: list[Explanation], most: int = 3) -> str:
    """Returns causes with their evidence, cure and lines, the likeliest first."""
    return "\n\n".join(
        _one(place, found) for place, found in enumerate(explanations[:most], start=1)
    )


def _one(place: int, found: Explanation) -> str:
    fields = [
        ("evidence", found.evidence),
        ("cure", found.cure),
        *(("look at", line) for line in found.lines),
    ]
    shown = [f"Cause {place}: {found.title} (stage: {found.stage})"]
    for name, text in fields:
        shown.append(
            textwrap.fill(
                text,
                WIDTH,
                initial_indent=f"  {name:9} ",
                subsequent_indent=" " * 12,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n".join(shown)


def diagnosis_lines(diagnosis: Diagnosis) -> str:
    """Returns the text that `python -m bench diagnose` prints."""
    states = {"trained": "it trains", "not trained": "it does not train", "diverged": "it diverges"}
    head = f"{diagnosis.port}: {states[diagnosis.state]}"
    parts = [head, "\n".join(f"- {note}" for note in diagnosis.notes)]
    if diagnosis.explanations:
        parts.append(as_lines(diagnosis.explanations))
    elif diagnosis.state != "trained":
        parts.append(f"Cause: {UNKNOWN}")
    else:
        parts.append("Nothing wrong was found.")
    return "\n\n".join(part for part in parts if part)


def cell_causes(cells: Iterable[StoredCell]) -> pd.DataFrame:
    """Returns one row for every finished cell that ended near chance or diverged.

    Its columns are those of the cell, and `state`, `cause`, `evidence` and `cure`.
    """
    rows = []
    for cell in cells:
        record = cell.record
        if not record.measured:
            continue
        final = final_state(cell)
        state = state_of(final)
        if state == "trained":
            continue
        found = explain_outputs(final)
        rows.append(
            {
                "implementation": record.implementation,
                "profile": record.profile,
                "dataset": record.dataset,
                "outputs": record.outputs,
                "seed": record.seed,
                "state": state,
                "cause": found[0].title if found else UNKNOWN,
                "evidence": found[0].evidence if found else "",
                "cure": found[0].cure if found else "",
            }
        )
    columns = [
        "implementation",
        "profile",
        "dataset",
        "outputs",
        "seed",
        "state",
        "cause",
        "evidence",
        "cure",
    ]
    return pd.DataFrame(rows, columns=columns)


def causes_table(causes: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per dataset, outputs and cause: the cells, and the evidence of the first."""
    rows = []
    for (dataset, outputs, cause), cells in causes.groupby(
        ["dataset", "outputs", "cause"], sort=False
    ):
        by_name = cells.groupby("implementation", sort=False)["seed"].apply(
            lambda seeds: ", ".join(map(str, sorted(set(seeds))))
        )
        rows.append(
            {
                "dataset": dataset,
                "outputs": outputs,
                "cells": "; ".join(f"{name} seed {seeds}" for name, seeds in by_name.items()),
                "cause": cause,
                "evidence (first cell)": cells["evidence"].iloc[0],
                "cure": cells["cure"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def with_causes(results: pd.DataFrame, causes: pd.DataFrame) -> pd.DataFrame:
    """Returns the results with the column `cause`, which is empty for cells that trained."""
    keys = ["implementation", "profile", "dataset", "outputs", "seed"]
    found = {tuple(row[key] for key in keys): row["cause"] for _, row in causes.iterrows()}
    return results.assign(
        cause=[found.get(tuple(row[key] for key in keys), "") for _, row in results.iterrows()]
    )


def draw_diagnosis(diagnosis: Diagnosis, path: Path) -> None:
    """Writes a picture of a training.

    It shows the loss of every step, and, at some steps, the norm of the gradient, the share of
    saturated outputs and the share of dead units.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(13, 3.6), constrained_layout=True)
    panels[0].plot(
        range(1, len(diagnosis.losses) + 1), diagnosis.losses, linewidth=1, color="#1f77b4"
    )
    panels[0].set(title="loss of the step", xlabel="step", yscale="log")
    steps = [snapshot.step for snapshot in diagnosis.snapshots]
    panels[1].plot(
        steps,
        [max(snapshot.gradient_norm, 1e-12) for snapshot in diagnosis.snapshots],
        marker="o",
        color="#d62728",
    )
    panels[1].set(
        title="gradient norm (1e-12: exactly 0)", xlabel="step", xscale="symlog", yscale="log"
    )
    panels[2].plot(
        steps,
        [snapshot.saturated for snapshot in diagnosis.snapshots],
        marker="o",
        label="outputs at 0 or 1",
        color="#9467bd",
    )
    dead = [max(snapshot.dead.values(), default=0.0) for snapshot in diagnosis.snapshots]
    panels[2].plot(steps, dead, marker="s", label="dead units, worst layer", color="#7f7f7f")
    panels[2].set(title="shares", xlabel="step", xscale="symlog", ylim=(-0.03, 1.03))
    panels[2].legend(frameon=False)
    figure.suptitle(
        f"{diagnosis.port}: {diagnosis.state}"
        + (f" - {diagnosis.explanations[0].title}" if diagnosis.explanations else ""),
        fontsize=10,
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
