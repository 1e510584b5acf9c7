"""Comparisons of ports as text and tables: one by itself, and those of a run beside its cells."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.parity import STAGE_NAMES
from bench.parity.result import VERDICTS, Parity, Stage, count
from bench.report.diagnosis import as_lines as as_causes
from bench.report.finding import Finding
from bench.results.comparisons import StoredComparison

STAMP = "not the same network"
SHORT = {"bit": "bit", "rounding": "rounding", "different": "DIFFERENT", "not seen": "not seen"}
LEGEND = (
    "bit: same to the bit. rounding: same within rounding, or a known difference. not seen: not "
    "visible in one of the ports."
)


def stamp(frame: pd.DataFrame, comparisons: list[StoredComparison]) -> pd.DataFrame:
    """Returns a frame in which the names of implementations that failed parity say so.

    It has the columns `dataset` and `implementation`.
    """
    failed = {
        (compared.dataset, compared.implementation) for compared in comparisons if compared.differs
    }
    names = [
        f"{name} ({STAMP})" if (dataset, name) in failed else name
        for dataset, name in zip(frame["dataset"], frame["implementation"])
    ]
    return frame.assign(implementation=names)


def is_stamped(name: str) -> bool:
    """Returns whether a name was stamped: its implementation is not the same network."""
    return name.endswith(f"({STAMP})")


def with_parity(results: pd.DataFrame, comparisons: list[StoredComparison]) -> pd.DataFrame:
    """Returns the results with the column `parity`.

    It is `same` or `different`, compared with the first implementation, or empty if there is no
    comparison.
    """
    found = {
        (compared.dataset, compared.implementation): "different" if compared.differs else "same"
        for compared in comparisons
        if compared.parity is not None
    }
    return results.assign(
        parity=[found.get(key, "") for key in zip(results["dataset"], results["implementation"])]
    )


def parity_table(comparisons: list[StoredComparison]) -> pd.DataFrame:
    """Returns a table with one row per comparison and one column per stage."""
    rows = []
    for compared in comparisons:
        stages = (
            {stage.name: SHORT[stage.verdict] for stage in compared.parity.stages}
            if compared.parity
            else {}
        )
        rows.append(
            {
                "dataset": compared.dataset,
                "implementation": f"{compared.implementation} : {compared.reference}",
                **{name: stages.get(name, "-") for name in STAGE_NAMES},
            }
        )
    return pd.DataFrame(rows)


def parity_findings(comparisons: list[StoredComparison]) -> list[Finding]:
    """Returns the first differences, what could not be compared, and the known differences."""
    found = [
        finding
        for compared in comparisons
        if (finding := _comparison_finding(compared)) is not None
    ]
    known = dict.fromkeys(
        note
        for compared in comparisons
        if compared.parity
        for stage in compared.parity.stages
        for note in stage.notes
        if note.startswith("known difference")
    )
    return found + [
        Finding("network", "A difference is known and no fault.", f"{note[0].upper()}{note[1:]}.")
        for note in known
    ]


def _comparison_finding(compared: StoredComparison) -> Finding | None:
    pair = f"{compared.dataset}: {compared.implementation} against {compared.reference}"
    if compared.parity is None:
        return Finding("problem", f"{pair} could not be compared: {compared.error}")
    stage = compared.parity.first_different
    if stage is None:
        return None
    first = f"First difference, in {stage.name}: {stage.difference}."
    return Finding("network", f"{pair} is {STAMP}.", f"{first} {_cause(compared.parity)}")


def _cause(parity: Parity) -> str:
    if not parity.explanations:
        return "Its cause is unknown."
    likeliest = parity.explanations[0]
    return f"Cause: {likeliest.title} ({likeliest.evidence}). Cure: {likeliest.cure}."


def stage_tables(comparisons: list[StoredComparison]) -> dict[str, pd.DataFrame]:
    """Returns a table of all stages for every comparison, by title."""
    tables = {}
    for compared in comparisons:
        if compared.parity is not None:
            parity = compared.parity
            pair = f"{compared.implementation} against {compared.reference}"
            tables[f"{compared.dataset}: {pair}, on {parity.setting}"] = pd.DataFrame(
                [
                    {
                        "stage": stage.name,
                        "verdict": VERDICTS[stage.verdict],
                        "compared": stage.compared,
                        "difference": str(stage.difference or stage.largest or ""),
                        "notes": "; ".join(stage.notes),
                    }
                    for stage in parity.stages
                ]
            )
    return tables


def as_lines(parity: Parity) -> str:
    """Returns the text that `python -m bench parity` prints.

    It has one line per stage, then the first difference, then all notes.
    """
    rows = [(stage.name, VERDICTS[stage.verdict], stage.compared) for stage in parity.stages]
    parts = [
        f"{parity.candidate} against {parity.reference}, on {parity.setting}",
        tabulate(
            rows, headers=("stage", "verdict", "compared"), tablefmt="simple", disable_numparse=True
        ),
    ]
    first = parity.first_different
    if first:
        parts.append(_first_difference(first))
        parts.append(
            as_causes(parity.explanations)
            if parity.explanations
            else "Cause: unknown; none of the known ones explains these numbers."
        )
    notes = [
        f"{stage.name}: {note}"
        for stage in parity.stages
        for note in [*_largest(stage), *stage.notes]
    ]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    parts.append(_conclusion(parity))
    return "\n\n".join(parts)


def _first_difference(stage: Stage) -> str:
    difference = stage.difference
    if difference is None:
        return f"First difference: {stage.name}"
    lines = [
        f"First difference: {stage.name}",
        f"  what        {difference.what}",
        f"  reference   {difference.reference}",
        f"  candidate   {difference.candidate}",
    ]
    if difference.ulps is not None:
        times = count(difference.of_tolerance)
        lines.append(f"  size        {count(difference.ulps)} ULP, {times} x the tolerance")
    return "\n".join(lines)


def _largest(stage: Stage) -> list[str]:
    if stage.largest is None:
        return []
    return [f"largest difference {stage.largest}"]


def _conclusion(parity: Parity) -> str:
    first = parity.first_different
    if first is not None:
        return f"Not the same network: they part in stage '{first.name}' ({parity.seconds:.0f} s)."
    unseen = [stage.name for stage in parity.stages if stage.verdict == "not seen"]
    exception = f", as far as can be seen: not {', '.join(unseen)}" if unseen else ""
    return f"The same network{exception} ({parity.seconds:.0f} s)."
