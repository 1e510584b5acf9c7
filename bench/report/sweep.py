"""The report of a sweep over sizes: a table, a plot and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io

from bench.durable import write_text
from bench.measure.cost_model import MATTERS, fit_cost_model
from bench.measure.step_breakdown import PARTS
from bench.measure.throughput import Throughput
from bench.report.rounds import throughput_frame
from bench.report.theme import COLORS, escaped
from bench.results.files import checked_json
from bench.results.rounds import Rounds, read_rounds
from bench.results.typed import as_fields
from bench.text_tables import as_markdown, as_text


@dataclass(frozen=True)
class SweepReport:
    """What the terminal shows: the sizes, the fitted cost models, and findings."""

    sizes: pd.DataFrame
    laws: pd.DataFrame
    texts: list[str]


def write_sweep(folder: Path) -> SweepReport:
    """Writes sweep.csv, sweep.md and sweep.html from the raw files of a sweep.

    Raises:
        RawFileError: sweep.json cannot be used.
    """
    problems: list[str] = []
    path = folder / "sweep.json"
    skipped = as_fields({"skipped": "list[str]"}, checked_json(path), path)["skipped"]
    rounds = [one for one in read_rounds(folder, problems) if _is_size(one.dataset, problems)]
    frame = throughput_frame(rounds)
    texts = [*problems, *skipped]
    if not len(frame):
        return SweepReport(frame, frame, [*texts, "Nothing was measured."])
    sizes = frame["dataset"].str.split("x", expand=True).astype(int)
    frame = frame.assign(
        batch_size=sizes[0], length=sizes[1], values=sizes[0] * sizes[1]
    ).sort_values(["values", "implementation", "profile"])
    laws = _laws(frame, rounds)
    texts += _texts(laws)
    table = _size_table(frame)
    write_text(folder / "sweep.csv", frame.to_csv(index=False))
    parts = [
        "# Sweep",
        "\n".join(f"- {as_markdown(text)}" for text in texts),
        as_text(table, "github"),
        "## Laws",
        as_text(laws, "github"),
    ]
    write_text(folder / "sweep.md", "\n\n".join(parts) + "\n")
    figure = _plot(frame)
    write_text(folder / "sweep.html", plotly.io.to_html(figure, include_plotlyjs=True))
    return SweepReport(table, laws, texts)


def _is_size(dataset: str, problems: list[str]) -> bool:
    """Returns whether the name of rounds is a size: a batch size and a length, as numbers."""
    if re.fullmatch("[1-9][0-9]{0,8}x[1-9][0-9]{0,8}", dataset):
        return True
    problems.append(f"Left out the throughput of {dataset}, which is no size.")
    return False


def _size_table(frame: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "batch": frame["batch_size"].astype(str),
        "length": frame["length"].map("{:,}".format),
        "implementation": frame["implementation"],
        "profile": frame["profile"],
        "samples/s": [
            _interval(row, "samples_per_second", "low", "high", ",.0f")
            for _, row in frame.iterrows()
        ],
        "MiB": frame["peak_rss_mib"].map("{:,.0f}".format),
    }
    for part in PARTS:
        columns[f"{part} ms"] = [
            _interval(row, f"{part}_ms", f"{part}_low_ms", f"{part}_high_ms", ".3f")
            for _, row in frame.iterrows()
        ]
    return pd.DataFrame(columns)


def _interval(row: pd.Series, middle: str, low: str, high: str, form: str) -> str:
    if middle not in row or pd.isna(row[middle]):
        return "-"
    return f"{row[middle]:{form}} [{row[low]:{form}}, {row[high]:{form}}]"


def _laws(frame: pd.DataFrame, rounds: list[Rounds]) -> pd.DataFrame:
    """Returns one row per implementation and profile: its cost model, fitted to all sizes."""
    throughput, rows = {one.dataset: Throughput(one.calls) for one in rounds}, []
    for (implementation, profile), own in frame.groupby(["implementation", "profile"], sort=False):
        step_ms = [
            row["batch_size"] * 1e3 / throughput[row["dataset"]].of(f"{implementation}-{profile}")
            for _, row in own.iterrows()
        ]
        model = fit_cost_model(own["values"].to_numpy(float), step_ms)
        if model:
            rows.append(
                {
                    "implementation": implementation,
                    "profile": profile,
                    "sizes": str(len(own)),
                    "fixed ms a step": f"{model.fixed_ms:.3f} "
                    f"[{model.fixed[0]:.3f}, {model.fixed[1]:.3f}]",
                    "ns a value": f"{model.value_ns:.2f} "
                    f"[{model.value[0]:.2f}, {model.value[1]:.2f}]",
                    "largest error": f"{model.error:.0%}",
                    f"fixed cost under {MATTERS:.0%} from (values a batch)": (
                        f"{model.stops_mattering:,.0f} "
                        f"[{model.stops[0]:,.0f}, {model.stops[1]:,.0f}]"
                        if np.isfinite(model.stops_mattering)
                        else "never"
                    ),
                }
            )
    return pd.DataFrame(rows)


def _texts(laws: pd.DataFrame) -> list[str]:
    if laws.empty:
        return ["Too few sizes for a model: it takes three."]
    last = laws.columns[-1]
    return [
        f"{row['implementation']} {row['profile']}: {row['fixed ms a step']} ms a step whatever "
        f"its size, and {row['ns a value']} ns for every value; its fixed cost is less than "
        f"{MATTERS:.0%} of the step from {row[last]} values a batch on."
        for _, row in laws.iterrows()
    ]


def _plot(frame: pd.DataFrame) -> go.Figure:
    figure = go.Figure()
    for number, ((implementation, profile), own) in enumerate(
        frame.groupby(["implementation", "profile"], sort=False)
    ):
        step_ms = own["batch_size"] * 1e3 / own["samples_per_second"]
        figure.add_scatter(
            x=own["values"].tolist(),
            y=step_ms.tolist(),
            mode="lines+markers",
            name=escaped(f"{implementation} {profile}"),
            line={
                "dash": "solid" if profile == "default" else "dash",
                "color": COLORS[number // 2 % len(COLORS)],
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (own["batch_size"] * 1e3 / own["low"] - step_ms).tolist(),
                "arrayminus": (step_ms - own["batch_size"] * 1e3 / own["high"]).tolist(),
            },
            customdata=own[["batch_size", "length"]].to_numpy(),
            hovertemplate="batch %{customdata[0]}, length %{customdata[1]}: %{y:.3g} ms"
            "<extra></extra>",
        )
    figure.update_layout(
        template="plotly_white", title="A step's time against its size", height=600
    )
    figure.update_xaxes(type="log", title="values a batch (batch size x length)")
    figure.update_yaxes(type="log", title="ms a step")
    return figure
