"""The rounds of a result folder as data frames: throughput, its ratios, and where a step's time goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.measure.statistics import Ratio, ratio_of_medians
from bench.measure.step_breakdown import PARTS, step_breakdown
from bench.measure.throughput import AGAIN, FLOOR, Throughput
from bench.measure.warnings import warnings_of
from bench.report.frames import in_order
from bench.results import rounds as raw
from bench.results.files import RawFileError, left_out

GPU_COLUMNS = ("gpu_energy_j", "gpu_utilisation", "gpu_memory_mib")
"""Of a turn, medians over rounds: energy of the GPUs, utilisation and memory as their driver told."""

COLUMNS = ["dataset", "implementation", "profile", "rounds", "samples_per_second", "low", "high"]
"""The first of a throughput frame."""

COMPARISONS = ("relative", "of_floor", "over_default")
"""To the first implementation's default profile; to the floor; a tuned profile to its own default."""


@dataclass(frozen=True)
class Rounds:
    """What was measured in turns, of one dataset."""

    dataset: str
    records: list[raw.VariantRecord]
    calls: pd.DataFrame
    turns: pd.DataFrame
    kernels: pd.DataFrame

    @property
    def ok(self) -> list[raw.VariantRecord]:
        """Variants that were measured to the end."""
        return [record for record in self.records if record.status == "ok"]

    @property
    def throughput(self) -> Throughput:
        return Throughput(self.calls)

    @property
    def recording(self) -> Ratio | None:
        """Throughput with a row a call over that without, of blocks of calls that alternate within one process."""
        blocks = self.calls[self.calls["mode"] == "blocks"]
        if blocks.empty or blocks["recorded"].nunique() < 2:
            return None
        sums = (
            blocks.assign(seconds=blocks["ended_s"] - blocks["began_s"])
            .groupby(["round", "recorded"])[["samples", "seconds"]]
            .sum()
        )
        rates = (sums["samples"] / sums["seconds"]).unstack("recorded").dropna()
        rates.columns = [str(column) == "True" for column in rates.columns]
        return (
            ratio_of_medians(rates[True].to_numpy(), rates[False].to_numpy())
            if len(rates)
            else None
        )

    @property
    def recording_share(self) -> float | None:
        """What recording a call takes, between its end and the beginning of the next, as a share of it: the median over the calls
        of the reference."""
        own = self.calls[
            (self.calls["variant"] == self.throughput.reference) & (self.calls["mode"] == "steady")
        ]
        follows = own["round"].shift(-1) == own["round"]
        gap = (own["began_s"].shift(-1) - own["ended_s"])[follows]
        return (
            float((gap / (own["ended_s"] - own["began_s"])[follows]).median())
            if follows.any()
            else None
        )

    @property
    def again(self) -> Ratio | None:
        """The same implementation under two names: the noise floor of every other ratio."""
        reference = self.throughput.reference
        return (
            self.throughput.ratio(f"{reference.rpartition('-')[0]}-{AGAIN}", reference)
            if reference
            else None
        )

    def warnings_of(self, precision: float | None, governors: list[str]) -> list[str]:
        threads = {
            record.name: (
                record.environment.get("intra_op_threads"),
                record.environment.get("inter_op_threads"),
            )
            for record in self.ok
        }
        return warnings_of(self.calls, self.turns, threads, precision, governors)


def read_rounds(folder: Path, problems: list[str]) -> list[Rounds]:
    """The rounds of every dataset whose files are whole; what is wrong with the others goes to `problems`."""
    found = []
    for dataset in raw.measured_datasets(folder):
        try:
            found.append(
                Rounds(
                    dataset,
                    raw.read_variants(folder, dataset),
                    raw.read_calls(folder, dataset),
                    raw.read_turns(folder, dataset),
                    raw.read_kernels(folder, dataset),
                )
            )
        except RawFileError as error:
            problems.append(left_out(f"the throughput of {dataset}", error))
    return sorted(found, key=lambda rounds: rounds.dataset != "small")


def throughput_frame(rounds: list[Rounds]) -> pd.DataFrame:
    """A row a variant: median samples per second and every ratio, each with its 95 % interval over rounds and a verdict; the parts
    of a step in ms; threads and memory at the end of the rounds."""
    rows = [row for one in rounds for row in _rows(one)]
    return in_order(pd.DataFrame(rows, columns=None if rows else COLUMNS))


def _rows(rounds: Rounds) -> list[dict]:
    throughput, parts = rounds.throughput, step_breakdown(rounds.calls)
    return [
        _row(rounds, record, throughput, parts)
        for record in rounds.ok
        if record.name in throughput.by_round
    ]


def _row(
    rounds: Rounds, record: raw.VariantRecord, throughput: Throughput, parts: pd.DataFrame
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
    """What the driver said of a variant's steady turns."""
    steady = turns[(turns["variant"] == variant) & (turns["mode"] == "steady")]
    return {column: steady[column].median() for column in GPU_COLUMNS if column in steady}


def is_yardstick(profile: str) -> bool:
    """The floor and the A/A twin stand beside implementations, and are none."""
    return profile in (FLOOR, AGAIN)


def parts_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that have parts, yardsticks but for the floor left out."""
    columns = [f"{part}_ms" for part in PARTS]
    if not len(frame) or columns[0] not in frame:
        return pd.DataFrame()
    return frame[frame[columns[0]].notna() & (frame["profile"] != AGAIN)]
