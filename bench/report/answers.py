"""The three questions and their short answers: the first screen of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from bench.parity import STAGE_NAMES
from bench.report.cost import cost_answer
from bench.report.findings import Verdict, judge_all
from bench.report.parity import parity_texts
from bench.report.tables import SECOND_STEP, Answer
from bench.results.cells import StoredCell
from bench.results.comparisons import StoredComparison
from bench.text_tables import power

EQUAL_ACCURACY = 1e-3
"""Largest difference of the first two losses between ports of one network.

Ours differ by 2e-5, since Adam's 1-β₂ is float32 in one API and float64 in another. Another
optimizer, order of samples or initialisation gives differences of the size of the loss.
"""

NOT_MEASURED = "Not measured in this run."


def answers(
    cells: Mapping[str, StoredCell],
    results: pd.DataFrame,
    throughput: pd.DataFrame,
    agreement: pd.DataFrame,
    comparisons: list[StoredComparison],
) -> list[Answer]:
    """Returns one answer per question of the project.

    `throughput` is that of the rounds, with the names of implementations that tables show.
    """
    ok = results[results["status"] == "ok"]
    same = _compared(comparisons, agreement) if comparisons else _same_network(ok, agreement)
    return [same, _why_not_training(cells, ok), cost_answer(throughput)]


def _compared(comparisons: list[StoredComparison], agreement: pd.DataFrame) -> Answer:
    question = "Is it still the same network?"
    different = [compared for compared in comparisons if compared.differs]
    unknown = [compared for compared in comparisons if compared.parity is None]
    if different:
        names = ", ".join(
            f"{compared.implementation} on {compared.dataset}" for compared in different
        )
        return Answer(question, f"No: {names} differs.", parity_texts(different)[0])
    if unknown:
        return Answer(question, "Not all could be compared.", parity_texts(unknown)[0])
    verdicts = Counter(
        stage.verdict
        for compared in comparisons
        if compared.parity
        for stage in compared.parity.stages
    )
    later = (
        ""
        if agreement.empty
        else (
            f" With equal seeds and all threads, losses differ by at most "
            f"{power(agreement['evaluations'].max())} at any evaluation."
        )
    )
    return Answer(
        question,
        "Yes, stage by stage.",
        f"{len(comparisons)} comparisons of {len(STAGE_NAMES)} stages: {verdicts['bit']} same to "
        f"the bit, {verdicts['rounding']} within rounding or a known difference.{later}",
    )


def _same_network(ok: pd.DataFrame, agreement: pd.DataFrame) -> Answer:
    question = "Is it still the same network?"
    if agreement.empty:
        return Answer(question, NOT_MEASURED, "It takes two implementations with equal seeds.")
    same = (ok.groupby("dataset")["parameters"].nunique() == 1).all()
    first, second, later = (
        agreement[column].max() for column in ("first step", SECOND_STEP, "evaluations")
    )
    equal = same and max(first, second) < EQUAL_ACCURACY
    return Answer(
        question,
        "Yes: same weights, same order, same update."
        if equal
        else "No: the ports part in the first two steps.",
        f"{'Equal' if same else 'Different'} parameter counts. With equal seeds the losses differ "
        f"by at most {power(first)} at the first step, {power(second)} of their size after one "
        f"update, {power(later)} at any evaluation.",
    )


def _why_not_training(cells: Mapping[str, StoredCell], ok: pd.DataFrame) -> Answer:
    question = "Why does it not train?"
    verdicts = judge_all(cells, ok)
    frozen = [verdict for verdict in verdicts if verdict.state == "frozen"]
    if not verdicts:
        return Answer(question, NOT_MEASURED, "No cell finished.")
    if not frozen:
        return Answer(question, "No cell is frozen.", _trained_counts(verdicts))
    where = " and ".join(dict.fromkeys(verdict.cell["dataset"] for verdict in frozen))
    return Answer(
        question,
        "Activated outputs go into a loss that takes logits.",
        f"{len(frozen)} cells on {where} are frozen: outputs saturated, no gradient. Cure: pass "
        f"the logits. {_trained_counts(verdicts)}",
    )


def _trained_counts(verdicts: list[Verdict]) -> str:
    sound = [verdict for verdict in verdicts if verdict.cell["outputs"] == "logits"]
    trained = sum(verdict.state == "trained" for verdict in sound)
    return f"With logits {trained} of {len(sound)} cells train." if sound else ""
