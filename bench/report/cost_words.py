"""What each API costs, in words: the answer, the findings, and what makes them doubtful."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from bench.measure.statistics import Ratio
from bench.measure.throughput import FLOOR
from bench.report.cost import QUESTION
from bench.report.finding import Answer, Finding
from bench.report.rounds import (
    again_ratio,
    recording_ratio,
    recording_share,
    reference_of,
    round_warnings,
    with_interval,
    with_verdict,
)
from bench.results.rounds import Rounds


def cost_findings(throughput: pd.DataFrame, rounds: Iterable[Rounds]) -> list[Finding]:
    """Returns the findings about costs."""
    found = [
        _throughput_finding(str(dataset), rows, reference_of(throughput))
        for dataset, rows in throughput.groupby("dataset", sort=False)
    ]
    for one in rounds:
        found += _noise_findings(one)
        found += [
            Finding(
                "problem",
                f"{one.dataset}: {record.implementation} {record.profile} took no part in the "
                f"rounds: {record.reason}",
            )
            for record in one.records
            if record.status != "ok"
        ]
    return found


def _throughput_finding(dataset: str, rows: pd.DataFrame, reference: str) -> Finding:
    default, tuned, floor = (
        rows[rows["profile"] == profile] for profile in ("default", "tuned", FLOOR)
    )
    rates = {
        name: _from_to(own["samples_per_second"], ",.0f")
        for name, own in (("by default", default), ("tuned", tuned))
        if len(own)
    }
    unit = " samples per second"
    parts = [
        f"{rate}{'' if place else unit} {name}" for place, (name, rate) in enumerate(rates.items())
    ]
    details = []
    if default["relative"].notna().any():
        details.append(f"By default, relative to {reference}: {_ratios(default)}.")
    if len(floor) and tuned["of_floor"].notna().any():
        value = with_interval(floor.iloc[0], "samples_per_second", 0)
        share = _from_to(tuned["of_floor"].dropna(), ".2f")
        details.append(f"Tuned, they reach {share} of the floor, which is {value}.")
    return Finding("cost", f"{dataset}: {', '.join(parts) or 'no throughput'}.", " ".join(details))


def _ratios(default: pd.DataFrame) -> str:
    """Returns the throughput of each implementation relative to the first one."""
    compared = default[default["relative"].notna()]
    return ", ".join(
        f"{row['implementation']} {with_verdict(row, 'relative')}" for _, row in compared.iterrows()
    )


def _from_to(values: pd.Series, form: str) -> str:
    low, high = f"{values.min():{form}}", f"{values.max():{form}}"
    return low if low == high else f"{low} to {high}"


def _noise_findings(rounds: Rounds) -> list[Finding]:
    """Returns what limits the precision of the rounds: noise, and the cost of recording."""
    found = []
    again, recording, share = (
        again_ratio(rounds),
        recording_ratio(rounds),
        recording_share(rounds),
    )
    if again is not None and not math.isnan(again.low):
        least = max(again.high - 1, 1 - again.low)
        found.append(
            Finding(
                "cost",
                f"{rounds.dataset}: differences of less than {least:.1%} say nothing here.",
                "Whatever a verdict says: two runs of the same program differ by a ratio of "
                f"{_text(again)}.",
            )
        )
    if recording is not None and share is not None and not math.isnan(recording.low):
        found.append(
            Finding(
                "cost",
                f"{rounds.dataset}: recording a call takes {share:.2%} of it.",
                f"The throughput while every call is recorded, relative to none being: "
                f"{_text(recording)}.",
            )
        )
    return found


def _text(ratio: Ratio) -> str:
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def warning_texts(rounds: list[Rounds], environment: dict) -> list[str]:
    """Returns what makes the rounds doubtful, of all datasets."""
    return [
        f"{one.dataset}: {text}"
        for one in rounds
        for text in round_warnings(
            one, environment.get("precision"), environment.get("governor", [])
        )
    ]


def cost_answer(throughput: pd.DataFrame) -> Answer:
    """Answers the third question: the largest cost of a default profile, and the gain of tuning."""
    default = (
        throughput[(throughput["profile"] == "default") & throughput["relative"].notna()]
        if len(throughput)
        else throughput
    )
    if not len(default):
        return Answer(
            QUESTION, "Not measured in this run.", "It takes two implementations, and rounds."
        )
    return Answer(QUESTION, _worst(throughput, default), _all_ratios(throughput, default))


def _worst(throughput: pd.DataFrame, default: pd.DataFrame) -> str:
    worst = default.iloc[default["relative"].argmin()]
    own = throughput[
        (throughput["profile"] == "tuned")
        & (throughput["dataset"] == worst["dataset"])
        & (throughput["implementation"] == worst["implementation"])
        & throughput["over_default"].notna()
    ]
    won = f"; tuned, {_times(own['over_default'].iloc[0])} that" if len(own) else ""
    return (
        f"On {worst['dataset']}, {worst['implementation']} has {worst['relative']:.0%} of "
        f"{reference_of(throughput)}'s speed{won}."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"


def _all_ratios(throughput: pd.DataFrame, default: pd.DataFrame) -> str:
    parts = [
        f"{dataset}: {_ratios(rows)}" for dataset, rows in default.groupby("dataset", sort=False)
    ]
    text = (
        f"Throughput relative to {reference_of(throughput)}, [95 % interval], default settings. "
        f"{'; '.join(parts)}."
    )
    tuned = throughput[(throughput["profile"] == "tuned") & throughput["of_floor"].notna()]
    if tuned.empty:
        return text
    shares = [
        f"{row['dataset']} {row['implementation']} {with_interval(row, 'of_floor', 2)}"
        for _, row in tuned.iterrows()
    ]
    return f"{text} Tuned, of the floor: {', '.join(shares)}."
