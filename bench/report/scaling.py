"""Tables of a run on clusters: throughput by the number of workers, and what more would give."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.measure.scaling import TEN_GIGABIT, expected_efficiency
from bench.measure.statistics import ratio_of_medians
from bench.report.frames import is_cluster
from bench.text_tables import spread

MORE = (8, 64, 512)

SCALING = "How does it scale?"
EXPECTED = "What is expected of more workers?"

SCALING_NOTE = (
    "Scaling efficiency: throughput over workers x that of one worker, trainings of equal seeds "
    "paired, with its 95 % interval by bootstrap over seeds (a dash: fewer than six). Bytes a step "
    "are computed from the number of parameters, not measured: all members together, by parameter "
    "servers (sessions) or by a ring (the others). All workers share this machine's processors."
)
EXPECTED_NOTE = (
    "Expected: at most so much, by a model, not a measurement. The step of one worker as measured "
    f"here, plus the exchange over links of {TEN_GIGABIT.bandwidth * 8 / 1e9:g} Gbit/s and "
    f"{TEN_GIGABIT.latency * 1e6:g} us, each worker on a machine like this one with a batch of its "
    "own; without the time of the software between, and nobody is slower than others."
)


def scaling_table(results: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per dataset, implementation and number of workers, over seeds."""
    rows = []
    for (dataset, implementation), cells in _clusters(results):
        one = cells[cells["workers"] == 1].set_index("seed")["samples_per_second"]
        for workers, same in cells.groupby("workers"):
            own = same.set_index("seed")["samples_per_second"]
            paired = own.index.intersection(one.index)
            rows.append(
                {
                    "dataset": dataset,
                    "implementation": implementation,
                    "workers": workers,
                    "global batch": same["global_batch"].iloc[0],
                    "samples/s": spread(own, 0),
                    "scaling efficiency": _efficiency(own[paired], one[paired], workers),
                    "bytes/step": f"{same['bytes_per_step'].iloc[0]:,.0f}",
                    "accuracy": spread(same["accuracy"], 3),
                }
            )
    return pd.DataFrame(rows)


def scaling_frame(results: pd.DataFrame) -> pd.DataFrame:
    """Returns samples per second over seeds: `median`, `lowest` and `highest`.

    There is one row per dataset, implementation and number of workers.
    """
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "implementation": implementation,
                "workers": workers,
                "median": own.median(),
                "lowest": own.min(),
                "highest": own.max(),
            }
            for (dataset, implementation), cells in _clusters(results)
            for workers, own in cells.groupby("workers")["samples_per_second"]
        ],
        columns=["dataset", "implementation", "workers", "median", "lowest", "highest"],
    )


def expected_table(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the efficiency to be expected of more workers."""
    rows = []
    for (dataset, implementation), cells in _clusters(results):
        one = cells[cells["workers"] == 1]
        if len(one):
            first = one.iloc[0]
            step_s = one["global_batch"].iloc[0] / one["samples_per_second"].median()
            rows.append(
                {
                    "dataset": dataset,
                    "implementation": implementation,
                    "step ms, one worker": f"{step_s * 1e3:.2f}",
                    "parameters": f"{first['parameters']:,}",
                    **{
                        f"{workers} workers": f"{_expected(first, step_s, workers):.2f}"
                        for workers in MORE
                    },
                }
            )
    return pd.DataFrame(rows)


def _expected(cell: pd.Series, step_s: float, workers: int) -> float:
    servers = cell["parameter_servers"]
    return expected_efficiency(step_s, cell["parameters"], workers, servers, TEN_GIGABIT)


def _clusters(results: pd.DataFrame):
    ok = results[(results["status"] == "ok") & results["profile"].map(is_cluster)]
    return ok.groupby(["dataset", "implementation"], sort=False)


def _efficiency(own: pd.Series, one: pd.Series, workers: int) -> str:
    if not len(own):
        return "-"
    ratio = ratio_of_medians(own.to_numpy(), one.to_numpy() * workers)
    if np.isnan(ratio.low):
        return "-"
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
