"""The three questions and their short answers: the first screen of the page."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from bench.parity import STAGE_NAMES
from bench.report.cost_words import cost_answer
from bench.report.diagnosis import WHY
from bench.report.finding import Answer
from bench.report.findings import Verdict
from bench.report.parity import parity_findings
from bench.report.tables import SECOND_STEP
from bench.results.comparisons import StoredComparison
from bench.text_tables import power

EQUAL_ACCURACY = 1e-3
"""Largest difference of the first two losses between ports of one network.

Ours differ by 2e-5, since Adam's 1-β₂ is float32 in one API and float64 in another. Another
optimizer, order of samples or initialisation gives differences of the size of the loss.
"""

SAME = "Is it the same network?"
NOT_MEASURED = "Not measured in this run."


def answers(
    verdicts: list[Verdict],
    results: pd.DataFrame,
    throughput: pd.DataFrame,
    agreement: pd.DataFrame,
    comparisons: list[StoredComparison],
) -> list[Answer]:
    """Returns one answer per question of the project, in the order of README.

    `verdicts` are those of all finished cells. `throughput` is that of the rounds, with the names
    of implementations that tables show.
    """
    ok = results[results["status"] == "ok"]
    same = _compared(comparisons, agreement) if comparisons else _same_network(ok, agreement)
    return [_why_not_training(verdicts), same, cost_answer(throughput)]


def _compared(comparisons: list[StoredComparison], agreement: pd.DataFrame) -> Answer:
    different = [compared for compared in comparisons if compared.differs]
    unknown = [compared for compared in comparisons if compared.parity is None]
    if different:
        return Answer(SAME, _different(different), parity_findings(different)[0].text)
    if unknown:
        return Answer(SAME, "Not all could be compared.", parity_findings(unknown)[0].text)
    return Answer(SAME, *_all_same(comparisons, agreement))


def _different(different: list[StoredComparison]) -> str:
    first = different[0]
    stage = first.parity.first_different if first.parity else None
    where = f"{first.implementation} on {first.dataset}"
    many = f" {len(different)} comparisons differ." if len(different) > 1 else ""
    return f"No: {where} differs, first in {stage.name if stage else 'a stage'}.{many}"


def _all_same(comparisons: list[StoredComparison], agreement: pd.DataFrame) -> tuple[str, str]:
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
    unseen = f", {verdicts['not seen']} not seen" if verdicts["not seen"] else ""
    return (
        f"Yes, stage by stage: {verdicts['bit']} same to the bit, {verdicts['rounding']} within "
        f"rounding{unseen}.",
        f"{len(comparisons)} comparisons of {len(STAGE_NAMES)} stages: {verdicts['bit']} same to "
        f"the bit, {verdicts['rounding']} within rounding or a known difference{unseen}.{later}",
    )


def _same_network(ok: pd.DataFrame, agreement: pd.DataFrame) -> Answer:
    if agreement.empty:
        return Answer(SAME, NOT_MEASURED, "It takes two implementations with equal seeds.")
    same = (ok.groupby("dataset")["parameters"].nunique() == 1).all()
    first, second, later = (
        agreement[column].max() for column in ("first step", SECOND_STEP, "evaluations")
    )
    equal = same and max(first, second) < EQUAL_ACCURACY
    return Answer(
        SAME,
        "Yes: same weights, same order, same update."
        if equal
        else "No: the ports part in the first two steps.",
        f"{'Equal' if same else 'Different'} parameter counts. With equal seeds the losses differ "
        f"by at most {power(first)} at the first step, {power(second)} of their size after one "
        f"update, {power(later)} at any evaluation.",
    )


def _why_not_training(verdicts: list[Verdict]) -> Answer:
    frozen = [verdict for verdict in verdicts if verdict.state == "frozen"]
    if not verdicts:
        return Answer(WHY, NOT_MEASURED, "No cell finished.")
    if not frozen:
        return Answer(WHY, "No cell is frozen.", _trained_counts(verdicts))
    where = " and ".join(dict.fromkeys(verdict.cell["dataset"] for verdict in frozen))
    return Answer(
        WHY,
        f"Activated outputs go into a loss that takes logits: {_count(len(frozen))}.",
        f"Frozen on {where}: all outputs are saturated, and there is no gradient. Cure: pass the "
        f"logits. {_trained_counts(verdicts)}",
    )


def _count(frozen: int) -> str:
    return "1 training freezes" if frozen == 1 else f"{frozen} trainings freeze"


def _trained_counts(verdicts: list[Verdict]) -> str:
    sound = [verdict for verdict in verdicts if verdict.cell["outputs"] == "logits"]
    trained = sum(verdict.state == "trained" for verdict in sound)
    return f"With logits {trained} of {len(sound)} cells train." if sound else ""
