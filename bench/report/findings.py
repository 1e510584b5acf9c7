"""The findings of a run in words, computed from its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from bench.diagnose.outputs import near_chance
from bench.measure.saturation import NO_GRADIENT, Rows, alike, right, saturated_rows
from bench.report.finding import Finding
from bench.report.parity import parity_findings
from bench.report.tables import reference
from bench.results.cells import StoredCell, cell_name
from bench.results.comparisons import StoredComparison
from bench.results.outputs import class_outputs
from bench.text_tables import power, spread


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
    verdicts: list[Verdict],
    results: pd.DataFrame,
    agreement: pd.DataFrame,
    comparisons: list[StoredComparison],
) -> list[Finding]:
    """Returns the findings about the networks and their training.

    `verdicts` are those of all finished cells. `bench.report.cost_words` has the findings about
    costs.
    """
    ok = results[results["status"] == "ok"]
    findings = [_failure(cell) for _, cell in results[results["status"] != "ok"].iterrows()]
    findings += parity_findings(comparisons)
    for dataset, cells in ok.groupby("dataset", sort=False):
        findings += _network_findings(str(dataset), cells, ok, agreement)
    together: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        together.setdefault((verdict.cell["dataset"], verdict.cell["outputs"]), []).append(verdict)
    for (dataset, outputs), some in together.items():
        findings += _training_findings(f"{outputs}, {dataset}", outputs, some)
    return findings


def _failure(cell: pd.Series) -> Finding:
    return Finding(
        "problem",
        f"{label(cell)}, {cell['dataset']}, {cell['outputs']}, seed {cell['seed']}: "
        f"{cell['status']} ({cell['reason']}).",
    )


def _network_findings(
    dataset: str, cells: pd.DataFrame, ok: pd.DataFrame, agreement: pd.DataFrame
) -> list[Finding]:
    counts = (
        cells[cells["profile"] == "default"]
        .groupby("implementation", sort=False)["parameters"]
        .first()
    )
    if len(counts) < 2:
        return []
    differences = agreement[agreement["dataset"] == dataset]
    return [
        Finding(
            "network",
            f"{dataset}: {_parameters(counts)}.",
            f"With equal seeds the losses differ from {reference(ok)}'s by at most "
            f"{power(differences['first step'].max())} at the first step and "
            f"{power(differences['evaluations'].max())} at any evaluation.",
        )
    ]


def _parameters(counts: pd.Series) -> str:
    if counts.nunique() == 1:
        return f"all have {counts.iloc[0]:,} parameters"
    return "parameters differ: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _training_findings(what: str, outputs: str, verdicts: list[Verdict]) -> list[Finding]:
    findings = []
    for state, of_state in (
        ("frozen", _frozen),
        ("near chance", _near_chance),
        ("trained", _hidden if outputs == "activated" else _trained),
    ):
        some = [verdict for verdict in verdicts if verdict.state == state]
        if some:
            headline, detail = of_state(some)
            found = f"{what}: {_count(some, verdicts)} {headline}."
            findings.append(Finding("training", found, detail))
    return findings


def _frozen(frozen: list[Verdict]) -> tuple[str, str]:
    error = max(abs(verdict.cell["final_loss"] - verdict.saturated_rows.loss) for verdict in frozen)
    return (
        f"stuck, accuracy {_spread(frozen, 'accuracy', 2)}",
        f"Every output is saturated, the gradient is {_gradient(frozen)}, and the loss is "
        f"{_frozen_losses(frozen)}: the sum over rows of their constants, to {power(error)}, as a "
        "sigmoid gives it into a loss that takes logits.",
    )


def _near_chance(chance: list[Verdict]) -> tuple[str, str]:
    seeds = dict.fromkeys(verdict.cell["seed"] for verdict in chance)
    return (
        "near chance without being frozen",
        f"With seed {' and '.join(map(str, seeds))}: accuracy {_spread(chance, 'accuracy', 2)}, "
        f"loss {_spread(chance, 'final_loss', 4)}, gradient norm "
        f"{_spread(chance, 'gradient_norm', power)}, share of saturated outputs "
        f"{_spread(chance, 'saturation', 2)}.",
    )


def _trained(trained: list[Verdict]) -> tuple[str, str]:
    return f"trained, accuracy {_spread(trained, 'accuracy', 3)}", ""


def _hidden(trained: list[Verdict]) -> tuple[str, str]:
    lowest = min(verdict.cell["final_loss"] for verdict in trained)
    return (
        f"{_trained(trained)[0]}; the bug hides",
        f"But it costs a floor: no loss can fall below {right(trained[0].classes)}, and the lowest "
        f"is {lowest:.4f}.",
    )


def _spread(verdicts: list[Verdict], column: str, digits: int | Callable[[float], str]) -> str:
    return spread(pd.Series([verdict.cell[column] for verdict in verdicts]), digits)


def _gradient(frozen: list[Verdict]) -> str:
    largest = max(verdict.cell["gradient_norm"] for verdict in frozen)
    return "exactly 0" if largest == 0 else f"at most {power(largest)}"


def _frozen_losses(frozen: list[Verdict]) -> str:
    """Returns the frozen losses taken apart, with the number of cells that have each."""
    parts = Counter(
        f"{verdict.cell['final_loss']:.4f} = {_decomposition(verdict.saturated_rows)}"
        for verdict in frozen
    )
    if len(parts) == 1:
        return next(iter(parts))
    return " and ".join(f"{text} (in {cells} of them)" for text, cells in parts.items())


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
    if len(everything) == 1:
        return "1 cell"
    if len(some) == len(everything):
        return f"all {len(some)} cells"
    return f"{len(some)} of {len(everything)} cells"
