"""What each API costs, as tables: throughput, where the time of a step goes, and other costs."""

from __future__ import annotations

import pandas as pd

from bench.measure.statistics import MARGIN
from bench.measure.step_breakdown import PARTS, top_kernels
from bench.measure.throughput import AGAIN, FLOOR
from bench.report.frames import groups
from bench.report.rounds import has_gpu, parts_of, reference_of, with_interval, with_verdict
from bench.results.rounds import Rounds
from bench.text_tables import spread

QUESTION = "What does each API cost?"
_NAMES = {FLOOR: "(the floor)", AGAIN: "(again, A/A)"}
THROUGHPUT_NOTE = (
    "Throughput: medians over rounds in which all variants take turns, with 95 % intervals by "
    "bootstrap over rounds; ratios are paired by round; equivalent means that the interval lies "
    f"within {MARGIN:.0%} of 1. The floor is the same network looping in one call on one batch; "
    "again is the first row's program measured a second time."
)
TAX_NOTE = (
    "Milliseconds of a steady step, medians with the range over rounds and quartiles of traced "
    "calls: kernels at work; ops waiting for input; the runtime's own time; Python of sessions, "
    "hooks, callbacks and functions; other Python. Residual: what the parts leave of the step "
    "without clocks."
)
GATE_NOTE = (
    "Sessions and Estimator hold the gradients of an op back, by default, until all of them are "
    "there (Optimizer.GATE_OP), Keras's GradientTape does not: with large batches on several cores "
    "that costs the first two more than all their Python. The tuned profiles switch it off "
    "(GATE_NONE)."
)
GPU_NOTE = (
    "kernels: time in C++ with a kernel on the CPU. GPU: time with a kernel on it, copies, the "
    "share of the step it was busy; by its driver, utilisation, energy; peak memory as TensorFlow "
    "counts it."
)
NO_GPU_NOTE = (
    "No GPU was there: GPU columns are left out here and empty in results.csv, and kernels ran on "
    "the CPU."
)


def throughput_table(throughput: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per variant: samples per second, and their ratios."""
    rows = []
    for _, row in throughput.iterrows():
        rows.append(
            {
                "dataset": row["dataset"],
                "implementation": row["implementation"],
                "profile": _shown(row["profile"]),
                "samples/s": with_interval(row, "samples_per_second", 0),
                f"relative to {reference_of(throughput)}": with_verdict(row, "relative"),
                "of the floor": with_interval(row, "of_floor", 2),
                "tuned over default": with_interval(row, "over_default", 2),
            }
        )
    return pd.DataFrame(rows)


def tax_table(throughput: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per variant: the parts of a step in ms."""
    parts = parts_of(throughput)
    rows = []
    for _, row in parts.iterrows():
        rows.append(
            {
                "dataset": row["dataset"],
                "implementation": row["implementation"],
                "profile": _shown(row["profile"]),
                "step ms": f"{row['wall_ms']:.3f}",
                **{
                    name: f"{row[f'{name}_ms']:.3f} "
                    f"[{row[f'{name}_low_ms']:.3f}, {row[f'{name}_high_ms']:.3f}]"
                    for name in PARTS
                },
                "residual": f"{row['residual_ms']:+.3f} "
                f"({row['residual_ms'] / row['wall_ms']:+.1%})",
                **(
                    {
                        "GPU": f"{row['gpu_ms']:.3f} "
                        f"[{row['gpu_low_ms']:.3f}, {row['gpu_high_ms']:.3f}]",
                        "GPU copies": f"{row['gpu_copy_ms']:.3f}",
                        "GPU busy": f"{row['gpu_busy']:.0%}",
                        "GPU utilisation": _of_driver(row, "gpu_utilisation", ".0%"),
                        "GPU MiB": _of_driver(row, "gpu_peak_mib", ",.0f"),
                        "J a turn": _of_driver(row, "gpu_energy_j", ".1f"),
                    }
                    if has_gpu(parts)
                    else {}
                ),
            }
        )
    return pd.DataFrame(rows)


def kernel_tables(rounds: list[Rounds]) -> dict[str, pd.DataFrame]:
    """The ten longest types of kernel of every variant, from its trace."""
    tables = {}
    for one in rounds:
        for record in one.ok:
            top = top_kernels(one.kernels, record.name)
            if len(top) and record.profile != AGAIN:
                tables[f"{one.dataset}: {record.implementation} {_shown(record.profile)}"] = (
                    pd.DataFrame(
                        {
                            "kernel": top["kernel"],
                            "device": top["device"],
                            "ms a step": top["total_ms"].map("{:.4f}".format),
                            "times a step": top["count"].map("{:.1f}".format),
                            "share": top["share"].map("{:.1%}".format),
                        }
                    )
                )
    return tables


def other_costs_table(ok: pd.DataFrame, imports: pd.DataFrame) -> pd.DataFrame:
    """Returns the costs besides steps: one row per dataset, implementation and profile.

    They are medians over cells, or over timed imports, with the range.

    Args:
        ok: the rows of the results that are ok.
        imports: the timed imports.
    """
    rows = []
    for (dataset, implementation, profile), cells in groups(
        ok, ["dataset", "implementation", "profile"]
    ):
        timed = imports.loc[imports["implementation"] == implementation.split(" (")[0], "import_s"]
        rows.append(
            {
                "dataset": dataset,
                "implementation": implementation,
                "profile": profile,
                "cells": len(cells),
                "import s": spread(timed, 1),
                "graph s": spread(cells["graph_s"], 2),
                "first step s": spread(cells["first_step_s"], 2),
                "evaluation s": spread(cells["evaluation_s"], 2),
                "checkpoint ms": spread(cells["checkpoint_s"] * 1e3, 0),
                "checkpoint KiB": spread(cells["checkpoint_kib"], 0),
                "peak MiB": spread(cells["peak_rss_mib"], 0),
            }
        )
    return pd.DataFrame(rows)


def code_table(ok: pd.DataFrame) -> pd.DataFrame:
    """Returns how much code each implementation is: counts, which have no uncertainty."""
    columns = {"code_lines": "code lines", "statements": "statements", "api_names": "API names"}
    first = (
        ok.groupby(["implementation", "profile"], sort=False)[list(columns)].first().reset_index()
    )
    return first.drop_duplicates(["implementation", "profile"]).rename(columns=columns)


def _shown(profile: str) -> str:
    """Returns a profile as tables show it."""
    return _NAMES.get(profile, profile)


def _of_driver(row: pd.Series, column: str, form: str) -> str:
    return f"{row[column]:{form}}" if pd.notna(row.get(column)) else "-"
