"""Figures from the rounds: throughput, its ratios, and where the time of a step goes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.measure.statistics import Ratio, ratio_of_medians
from bench.measure.step_breakdown import PARTS, step_breakdown
from bench.measure.throughput import AGAIN, FLOOR, Throughput
from bench.measure.warnings import warnings_of
from bench.report.frames import in_order
from bench.results.rounds import Rounds, VariantRecord

GPU_COLUMNS = ("gpu_energy_j", "gpu_utilisation", "gpu_memory_mib")
"""Columns about the GPU: medians over turns of energy, utilisation and memory, by its driver."""

COLUMNS = ["dataset", "implementation", "profile", "rounds", "samples_per_second", "low", "high"]
"""The first columns of a throughput frame."""

COMPARISONS = ("relative", "of_floor", "over_default")
"""Ratios to the first implementation's default profile, to the floor, and of a tuned profile to its
own default."""


def recording_ratio(rounds: Rounds) -> Ratio | None:
    """Returns the throughput with every call recorded over that with none recorded.

    Blocks of both kinds alternate within one process. None if there are no such blocks.
    """
    blocks = rounds.calls[rounds.calls["mode"] == "blocks"]
    if blocks.empty or blocks["recorded"].nunique() < 2:
        return None
    sums = (
        blocks.assign(seconds=blocks["ended_s"] - blocks["began_s"])
        .groupby(["round", "recorded"])[["samples", "seconds"]]
        .sum()
    )
    rates = (sums["samples"] / sums["seconds"]).unstack("recorded").dropna()
    rates.columns = [str(column) == "True" for column in rates.columns]
    if not len(rates):
        return None
    return ratio_of_medians(rates[True].to_numpy(), rates[False].to_numpy())


def recording_share(rounds: Rounds) -> float | None:
    """Returns the time that recording a call takes, as a share of the call.

    It is the time from the end of a call to the beginning of the next: the median over the calls of
    the reference. None if there are no such calls.
    """
    calls, reference = rounds.calls, Throughput(rounds.calls).reference
    own = calls[(calls["variant"] == reference) & (calls["mode"] == "steady")]
    follows = own["round"].shift(-1) == own["round"]
    if not follows.any():
        return None
    gap = (own["began_s"].shift(-1) - own["ended_s"])[follows]
    return float((gap / (own["ended_s"] - own["began_s"])[follows]).median())


def again_ratio(rounds: Rounds) -> Ratio | None:
    """Returns the ratio of one program measured under two names: the noise of all other ratios."""
    throughput = Throughput(rounds.calls)
    reference = throughput.reference
    if not reference:
        return None
    return throughput.ratio(f"{reference.rpartition('-')[0]}-{AGAIN}", reference)


def round_warnings(rounds: Rounds, precision: float | None, governors: list[str]) -> list[str]:
    """Returns what makes the rounds doubtful. See `bench.measure.warnings.warnings_of`."""
    threads = {
        record.name: (
            record.environment.get("intra_op_threads"),
            record.environment.get("inter_op_threads"),
        )
        for record in rounds.ok
    }
    return warnings_of(rounds.calls, rounds.turns, threads, precision, governors)


def throughput_frame(rounds: Iterable[Rounds]) -> pd.DataFrame:
    """Returns one row per variant.

    It has the median of the samples per second and every ratio, each with its 95 % interval over
    rounds and a verdict; the parts of a step in ms; threads, and memory at the end of the rounds.
    """
    rows = [row for one in rounds for row in _rows(one)]
    return in_order(pd.DataFrame(rows, columns=None if rows else COLUMNS))


def _rows(rounds: Rounds) -> list[dict]:
    throughput, parts = Throughput(rounds.calls), step_breakdown(rounds.calls)
    return [
        _row(rounds, record, throughput, parts)
        for record in rounds.ok
        if record.name in throughput.by_round
    ]


def _row(
    rounds: Rounds, record: VariantRecord, throughput: Throughput, parts: pd.DataFrame
) -> dict:
    median = throughput.median(record.name)
    row = {
        "dataset": rounds.dataset,
        "implementation": record.implementation,
        "profile": record.profile,
        "rounds": median.rounds,
        "samples_per_second": median.value,
        "low": median.low,
        "high": median.high,
    }
    bases = throughput.bases(record.name)
    for name in COMPARISONS:
        ratio = throughput.ratio(record.name, bases[name]) if name in bases else None
        row |= (
            {
                name: ratio.value,
                f"{name}_low": ratio.low,
                f"{name}_high": ratio.high,
                f"{name}_verdict": ratio.verdict(),
            }
            if ratio
            else {
                name: np.nan,
                f"{name}_low": np.nan,
                f"{name}_high": np.nan,
                f"{name}_verdict": "",
            }
        )
    if record.name in parts.index:
        row |= {
            f"{column}_ms" if column not in ("tracing", "gpu_busy") else column: parts.loc[
                record.name, column
            ]
            for column in parts.columns
        }
    return row | record.environment | _gpu_use(rounds.turns, record.name)


def _gpu_use(turns: pd.DataFrame, variant: str) -> dict:
    """Returns what the driver measured in a variant's steady turns."""
    steady = turns[(turns["variant"] == variant) & (turns["mode"] == "steady")]
    return {column: steady[column].median() for column in GPU_COLUMNS if column in steady}


def is_yardstick(profile: str) -> bool:
    """Returns whether a profile is the floor or the A/A twin, and not a port's own."""
    return profile in (FLOOR, AGAIN)


def parts_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows that have the parts of a step, without the A/A twin."""
    columns = [f"{part}_ms" for part in PARTS]
    if not len(frame) or columns[0] not in frame:
        return pd.DataFrame()
    return frame[frame[columns[0]].notna() & (frame["profile"] != AGAIN)]


def has_gpu(throughput: pd.DataFrame) -> bool:
    """Returns whether any variant was measured on a GPU."""
    return "gpu_ms" in throughput and bool(throughput["gpu_ms"].notna().any())


def reference_of(throughput: pd.DataFrame) -> str:
    """Returns the implementation that has an A/A twin."""
    return next(iter(throughput.loc[throughput["profile"] == AGAIN, "implementation"]), "").split(
        " ("
    )[0]


def with_interval(row: pd.Series, column: str, digits: int) -> str:
    """Returns `value [low, high]` of a row of a throughput frame, or a dash.

    `digits` is the number of decimals. `samples_per_second` has its interval in `low` and `high`,
    a ratio in the columns of its name with `_low` and `_high`.
    """
    low, high = (
        ("low", "high") if column == "samples_per_second" else (f"{column}_low", f"{column}_high")
    )
    if pd.isna(row[column]):
        return "-"
    if pd.isna(row[low]):
        return f"{row[column]:,.{digits}f} (rounds: {row['rounds']}, too few for an interval)"
    return f"{row[column]:,.{digits}f} [{row[low]:,.{digits}f}, {row[high]:,.{digits}f}]"


def with_verdict(row: pd.Series, column: str) -> str:
    """Returns a ratio with its interval and, if it has one, its verdict."""
    text = with_interval(row, column, 2)
    return f"{text} {row[f'{column}_verdict']}" if "[" in text else text
