"""The findings of a run in words, computed from its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.diagnose.outputs import near_chance
from bench.measure.saturation import NO_GRADIENT, Rows, alike, right, saturated_rows
from bench.report.frames import groups
from bench.report.parity import parity_texts
from bench.report.tables import reference
from bench.results.cells import StoredCell, cell_name
from bench.results.comparisons import StoredComparison
from bench.results.outputs import class_outputs
from bench.text_tables import power, spread


@dataclass(frozen=True)
class Finding:
    """One statement. `matter` is its subject: `network`, `training` or `cost`."""

    matter: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """How a finished cell ended.

    `cell` is its row of the results, `classes` the number of classes, and `state` one of `frozen`,
    `near chance` and `trained`. `rows` counts the rows of outputs by kind, if all outputs are
    saturated, and is None otherwise.
    """

    cell: pd.Series
    classes: int
    state: str
    rows: Rows | None

    @property
    def saturated_rows(self) -> Rows:
        """`rows` of a cell whose outputs are all saturated.

        Raises:
            ValueError: one of its outputs is not saturated.
        """
        if self.rows is None:
            raise ValueError("not all outputs are saturated")
        return self.rows


def label(cell: pd.Series) -> str:
    """Returns a cell's implementation, and its profile unless it is the default one."""
    return (
        cell["implementation"]
        if cell["profile"] == "default"
        else f"{cell['implementation']} {cell['profile']}"
    )


def judge(cell: pd.Series, outputs: pd.DataFrame) -> Verdict:
    """Returns how a finished cell ended.

    It is frozen if it is near chance, every output for the evaluation split is saturated, and
    there is no gradient on the fixed batch.

    Args:
        cell: its row of the results.
        outputs: its outputs, see `bench.results.outputs`.
    """
    final = outputs[outputs["batch"] == "evaluation"]
    values, labels = class_outputs(final), final["label"].to_numpy()
    rows = saturated_rows(values, labels) if cell["outputs"] == "activated" else None
    chance = near_chance(cell["accuracy"], labels)
    frozen = chance and rows is not None and cell["gradient_norm"] < NO_GRADIENT
    return Verdict(
        cell, values.shape[1], "frozen" if frozen else "near chance" if chance else "trained", rows
    )


def judge_all(cells: Mapping[str, StoredCell], ok: pd.DataFrame) -> list[Verdict]:
    """Returns how the cells ended that have a row in `ok`; `cells` holds all cells by name."""
    return [judge(row, cells[name_of(row)].outputs) for _, row in ok.iterrows()]


def name_of(cell: pd.Series) -> str:
    """Returns the name of the cell that a row of the results is about."""
    return cell_name(
        cell["implementation"], cell["profile"], cell["dataset"], cell["outputs"], cell["seed"]
    )


def find(
    cells: Mapping[str, StoredCell],
    results: pd.DataFrame,
    agreement: pd.DataFrame,
    comparisons: list[StoredComparison],
) -> list[Finding]:
    """Returns the findings about the networks and their training.

    `bench.report.cost` has those about costs.
    """
    ok = results[results["status"] == "ok"]
    failed = results[results["status"] != "ok"]
    findings = [
        Finding(
            "training",
            f"{label(cell)}, {cell['dataset']}, {cell['outputs']}, seed {cell['seed']}: "
            f"{cell['status']} ({cell['reason']}).",
        )
        for _, cell in failed.iterrows()
    ]
    findings += [Finding("network", text) for text in parity_texts(comparisons)]
    findings += _network_findings(ok, agreement)
    for (dataset, outputs), rows in groups(ok, ["dataset", "outputs"]):
        verdicts = judge_all(cells, rows)
        findings += [
            Finding("training", text)
            for text in _training_texts(f"{outputs}, {dataset}", outputs, verdicts)
        ]
    return findings


def _network_findings(ok: pd.DataFrame, agreement: pd.DataFrame) -> list[Finding]:
    findings = []
    for dataset, cells in ok.groupby("dataset", sort=False):
        counts = (
            cells[cells["profile"] == "default"]
            .groupby("implementation", sort=False)["parameters"]
            .first()
        )
        if len(counts) > 1:
            same = counts.nunique() == 1
            what = (
                f"all have {counts.iloc[0]:,} parameters"
                if same
                else (
                    "parameters differ: "
                    + ", ".join(f"{name} {count:,}" for name, count in counts.items())
                )
            )
            differences = agreement[agreement["dataset"] == dataset]
            findings.append(
                Finding(
                    "network",
                    (
                        f"{dataset}: {what}; with equal seeds the losses differ from "
                        f"{reference(ok)}'s by at most "
                        f"{power(differences['first step'].max())} at the first step and "
                        f"{power(differences['evaluations'].max())} at any evaluation."
                    ),
                )
            )
    return findings


def _training_texts(what: str, outputs: str, verdicts: list[Verdict]) -> list[str]:
    frozen = [verdict for verdict in verdicts if verdict.state == "frozen"]
    chance = [verdict for verdict in verdicts if verdict.state == "near chance"]
    trained = [verdict for verdict in verdicts if verdict.state == "trained"]
    texts = []
    if frozen:
        accuracies = pd.Series([verdict.cell["accuracy"] for verdict in frozen])
        error = max(
            abs(verdict.cell["final_loss"] - verdict.saturated_rows.loss) for verdict in frozen
        )
        texts.append(
            f"{what}: {_count(frozen, verdicts)} stuck, accuracy {spread(accuracies, 2)}: every "
            f"output is saturated, the gradient is {_gradient(frozen)}. Loss "
            f"{_frozen_losses(frozen)}. The sum over rows of their constants gives each loss to "
            f"{power(error)}: the outputs went through a sigmoid into a loss that takes logits."
        )
    if chance:
        cells = "; ".join(
            f"{label(verdict.cell)} seed {verdict.cell['seed']} "
            f"(accuracy {verdict.cell['accuracy']:.2f}, loss {verdict.cell['final_loss']:.4f}, "
            f"gradient norm {power(verdict.cell['gradient_norm'])}, "
            f"{verdict.cell['saturation']:.0%} of outputs saturated)"
            for verdict in chance
        )
        texts.append(
            f"{what}: {_count(chance, verdicts)} near chance without being frozen: {cells}."
        )
    if trained:
        accuracies = pd.Series([verdict.cell["accuracy"] for verdict in trained])
        text = f"{what}: {_count(trained, verdicts)} trained, accuracy {spread(accuracies, 3)}"
        if outputs == "activated":
            lowest = min(verdict.cell["final_loss"] for verdict in trained)
            text += (
                f"; the bug hides, but it costs a floor: no loss can fall below "
                f"{right(trained[0].classes)}, and the lowest is {lowest:.4f}"
            )
        texts.append(f"{text}.")
    return texts


def _gradient(frozen: list[Verdict]) -> str:
    largest = max(verdict.cell["gradient_norm"] for verdict in frozen)
    return "exactly 0" if largest == 0 else f"at most {power(largest)}"


def _frozen_losses(frozen: list[Verdict]) -> str:
    """Returns the frozen losses taken apart, with the cells that have each."""
    parts: dict[str, list[str]] = {}
    for verdict in frozen:
        text = f"{verdict.cell['final_loss']:.4f} = {_decomposition(verdict.saturated_rows)}"
        parts.setdefault(text, []).append(f"{label(verdict.cell)} {verdict.cell['seed']}")
    return "; ".join(f"{text} ({', '.join(cells)})" for text, cells in parts.items())


def _decomposition(rows: Rows) -> str:
    one_hot, same = right(rows.classes), alike(rows.classes)
    if rows.right + rows.wrong == rows.total:
        return f"{one_hot.formula} + {rows.wrong / rows.total:.2f} error"
    if rows.alike == rows.total:
        return f"{same.formula}, all outputs alike"
    kinds = (
        f"{rows.right} right x {one_hot.value:.4f} + {rows.wrong} wrong x {1 + one_hot.value:.4f}"
        f" + {rows.alike} alike x {same.value:.4f}"
    )
    mixed = f" + {rows.mixed} with several outputs at 1" if rows.mixed else ""
    return f"({kinds}{mixed}) / {rows.total} rows"


def _count(some: list[Verdict], everything: list[Verdict]) -> str:
    return (
        f"all {len(some)} cells"
        if len(some) == len(everything)
        else f"{len(some)} of {len(everything)} cells"
    )
