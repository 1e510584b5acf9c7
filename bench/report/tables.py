"""Summary tables of the cells: medians over cells, each with its range."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.report.frames import groups, in_order
from bench.results.cells import StoredCell, cell_name
from bench.text_tables import power, spread

RANGE_NOTE = "Training and other costs: median of the cells, [lowest, highest]."
SECOND_STEP = "second step, relative"
QUICK_NOTE = (
    "A --quick run: too few samples and steps for its accuracies and times to mean anything."
)


def training_table(results: pd.DataFrame) -> pd.DataFrame:
    """Returns how trainings ended: one row per dataset, outputs, implementation and profile."""
    rows = []
    for (dataset, outputs, implementation, profile), cells in groups(
        results, ["dataset", "outputs", "implementation", "profile"]
    ):
        ok = cells[cells["status"] == "ok"]
        rows.append(
            {
                "dataset": dataset,
                "outputs": outputs,
                "implementation": implementation,
                "profile": profile,
                "cells ok": f"{len(ok)}/{len(cells)}",
                "accuracy": spread(ok["accuracy"], 3),
                "final loss": spread(ok["final_loss"], 4),
                "gradient norm": spread(ok["gradient_norm"], power),
                "saturated outputs": spread(ok["saturation"], 2),
            }
        )
    return pd.DataFrame(rows)


def reference(results: pd.DataFrame) -> str:
    """Returns the implementation that others are compared with: the lowest-level one measured."""
    return in_order(results)["implementation"].iloc[0] if len(results) else ""


def agreement_table(
    stored: Mapping[str, StoredCell], results: pd.DataFrame, curves: pd.DataFrame
) -> pd.DataFrame:
    """Returns the differences between implementations with equal seeds, the largest over seeds.

    The differences are absolute, except that of the loss of the second step. This is the first
    loss after an update, and it may have any size, so its difference is relative.

    Args:
        stored: the cells by name.
        results: see `bench.report.frames.results_frame`.
        curves: see `bench.report.frames.curves_frame`.
    """
    ok = results[(results["status"] == "ok") & (results["profile"] == "default")]
    base = reference(ok)
    rows = []
    for (dataset, outputs, implementation), cells in groups(
        ok, ["dataset", "outputs", "implementation"]
    ):
        pairs = [
            _differences(stored, curves, dataset, outputs, seed, base, implementation)
            for seed in cells["seed"]
            if implementation != base and _measured(ok, base, dataset, outputs, seed)
        ]
        if pairs:
            rows.append(
                {
                    "dataset": dataset,
                    "outputs": outputs,
                    "implementation": f"{implementation} - {base}",
                    "seeds": len(pairs),
                    **pd.DataFrame(pairs).max().to_dict(),
                }
            )
    columns = [
        "dataset",
        "outputs",
        "implementation",
        "seeds",
        "first step",
        SECOND_STEP,
        "first epoch",
        "evaluations",
        "accuracy",
    ]
    return pd.DataFrame(rows, columns=columns)


def tuned_table(curves: pd.DataFrame) -> pd.DataFrame:
    """Returns the differences between tuned and default profiles, over seeds that both have.

    They are the largest differences of loss and accuracy at any evaluation.
    """
    rows = []
    keys = ["implementation", "dataset", "outputs", "seed", "epoch"]
    default, tuned = (
        curves[curves["profile"] == profile].set_index(keys) for profile in ("default", "tuned")
    )
    both = tuned.index.intersection(default.index)
    differences = pd.DataFrame(
        {
            "first evaluation": (
                tuned.loc[both, "evaluation_loss"] - default.loc[both, "evaluation_loss"]
            )
            .abs()
            .where(both.get_level_values("epoch") == 1),
            "evaluations": (
                tuned.loc[both, "evaluation_loss"] - default.loc[both, "evaluation_loss"]
            ).abs(),
            "accuracy": (_right(tuned.loc[both]) - _right(default.loc[both])).abs(),
        }
    ).reset_index()
    for (dataset, outputs, implementation), cells in groups(
        in_order(differences), ["dataset", "outputs", "implementation"]
    ):
        rows.append(
            {
                "dataset": dataset,
                "outputs": outputs,
                "implementation": f"{implementation} tuned - default",
                "seeds": cells["seed"].nunique(),
                **cells[["first evaluation", "evaluations", "accuracy"]].max().to_dict(),
            }
        )
    return pd.DataFrame(rows)


def _differences(
    stored: Mapping[str, StoredCell],
    curves: pd.DataFrame,
    dataset: str,
    outputs: str,
    seed: int,
    base: str,
    implementation: str,
) -> dict:
    steps, other_steps = (
        stored[cell_name(name, "default", dataset, outputs, seed)].steps
        for name in (base, implementation)
    )
    # One may have fewer steps.
    losses = (steps["loss"] - other_steps["loss"].reindex(steps.index)).abs()
    cells = curves[
        (curves["profile"] == "default")
        & (curves["dataset"] == dataset)
        & (curves["outputs"] == outputs)
        & (curves["seed"] == seed)
    ]
    own, other = (
        cells[cells["implementation"] == name].set_index("epoch") for name in (base, implementation)
    )
    return {
        "first step": losses.iloc[0],
        SECOND_STEP: (losses / steps["loss"].abs()).iloc[1] if len(losses) > 1 else 0.0,
        "first epoch": losses[steps["epoch"] == 1].max(),
        "evaluations": (own["evaluation_loss"] - other["evaluation_loss"]).abs().max(),
        "accuracy": (_right(own) - _right(other)).abs().max(),
    }


def _right(cells: pd.DataFrame) -> pd.Series:
    """Returns the accuracy as a share of whole samples: the APIs report theirs in float32."""
    samples = cells[["true_positives", "true_negatives", "false_positives", "false_negatives"]].sum(
        axis=1
    )
    return (cells["accuracy"] * samples).astype(float).round() / samples


def _measured(ok: pd.DataFrame, implementation: str, dataset: str, outputs: str, seed: int) -> bool:
    return bool(
        (
            (ok["implementation"] == implementation)
            & (ok["dataset"] == dataset)
            & (ok["outputs"] == outputs)
            & (ok["seed"] == seed)
        ).any()
    )
