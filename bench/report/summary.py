"""A run in one table: how trainings end, and what each implementation costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from bench.measure.throughput import AGAIN, FLOOR
from bench.report.frames import groups
from bench.report.rounds import has_gpu
from bench.task import OUTPUTS, PROFILES


def summary_table(results: pd.DataFrame, throughput: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per dataset and implementation, below a row with the dataset's name.

    Every value has its range in a second line. Values that nothing was measured for are a dash.

    Args:
        results: see `bench.report.frames.results_frame`.
        throughput: see `bench.report.rounds.throughput_frame`.
    """
    ok = results[results["status"] == "ok"]
    ports = throughput[~throughput["profile"].isin([FLOOR, AGAIN])]
    best = "tuned" if (ports["profile"] == "tuned").any() else "default"
    names = pd.concat([frame[["dataset", "implementation"]] for frame in (results, ports)])
    rows = []
    for (dataset,), own in groups(names.drop_duplicates(), ["dataset"]):
        rows.append({"": f"{dataset}:"})
        for name in own["implementation"]:
            cells, variants = (_of(frame, dataset, name) for frame in (ok, ports))
            rows.append({"": name, **_row(cells, variants, best, has_gpu(ports))})
    return pd.DataFrame(rows).fillna("")


def _of(frame: pd.DataFrame, dataset: str, implementation: str) -> pd.DataFrame:
    return frame[(frame["dataset"] == dataset) & (frame["implementation"] == implementation)]


def _row(cells: pd.DataFrame, throughput: pd.DataFrame, best: str, gpu: bool) -> dict[str, str]:
    """Returns the values of a row; `best` is the profile that is held against the floor."""
    row = {}
    for outputs in OUTPUTS:
        own = _usual(cells[cells["outputs"] == outputs])
        row[f"{outputs}\naccuracy"] = _spread(own["accuracy"], _two_decimals)
        row[f"{outputs}\nloss"] = _spread(own["final_loss"], _loss)
    by_profile = {row["profile"]: row for _, row in throughput.iterrows()}
    for profile in PROFILES:
        row[f"samples/s\n{profile}"] = _interval(
            by_profile.get(profile), ("samples_per_second", "low", "high"), _rates
        )
    row[f"{best}, of\nthe floor"] = _interval(
        by_profile.get(best), ("of_floor", "of_floor_low", "of_floor_high"), _two_decimals
    )
    if gpu:
        row["GPU ms\na step"] = _interval(
            by_profile.get(best), ("gpu_ms", "gpu_low_ms", "gpu_high_ms"), _three_digits
        )
    return row


def _usual(cells: pd.DataFrame) -> pd.DataFrame:
    """Returns the cells of the default profile, or all if it was not trained."""
    default = cells[cells["profile"] == "default"]
    return default if len(default) else cells


def _spread(values: pd.Series, form: Callable[..., str]) -> str:
    """Returns a median with the lowest and the highest value below it, or a dash."""
    values = values.dropna()
    if values.empty:
        return "-"
    return f"{form(values.median())}\n{form(values.min(), values.max())}"


def _interval(row: pd.Series | None, columns: Sequence[str], form: Callable[..., str]) -> str:
    """Returns a value of a variant with its interval below it, or a dash."""
    if row is None or pd.isna(row[columns[0]]):
        return "-"
    value, low, high = (row[name] for name in columns)
    if pd.isna(low):
        return f"{form(value)}\n{row['rounds']} rounds"
    return f"{form(value)}\n{form(low, high)}"


def _loss(*values: float) -> str:
    """Returns one loss with four digits, or two losses shorter."""
    digits = 4 if len(values) == 1 else 2
    return "-".join(f"{value:.{digits}f}" if value < 10 else f"{value:.3g}" for value in values)


def _two_decimals(*values: float) -> str:
    return "-".join(f"{value:.2f}" for value in values)


def _rates(*values: float) -> str:
    """Returns samples per second, in thousands if they are large."""
    if min(values) < 1000:
        return "-".join(f"{value:,.0f}" for value in values)
    digits = 2 if min(values) < 10_000 else 1
    return "-".join(f"{value / 1e3:,.{digits}f}" for value in values) + "k"


def _three_digits(*values: float) -> str:
    return "-".join(f"{value:.3g}" for value in values)
