"""Throughput of the variants in samples per second, and ratios between them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.measure.statistics import Ratio, median_interval, ratio_of_medians

FLOOR = "floor"
"""The profile that repeats the network on one batch within one call: see `impl_lowlevel.floor`."""

AGAIN = "again"
"""The A/A twin: the first implementation's default profile under a second name. The difference of
the two shows by how much two runs of the same program differ."""


class Throughput:
    """Throughputs of all variants on one dataset.

    A variant's throughput in a round is the number of its samples divided by its seconds in the
    turn of that round. `calls` is what `bench.results.rounds.read_calls` returns.
    """

    def __init__(self, calls: pd.DataFrame):
        calls = calls[calls["mode"] == "steady"]
        sums = (
            calls.assign(seconds=calls["ended_s"] - calls["began_s"])
            .groupby(["variant", "round"], sort=False)[["samples", "seconds"]]
            .sum()
        )
        self.by_round = (
            (sums["samples"] / sums["seconds"]).unstack("variant") if len(sums) else pd.DataFrame()
        )

    @property
    def variants(self) -> list[str]:
        """Names of the variants, in the order of their first turns."""
        return list(self.by_round.columns)

    def of(self, variant: str) -> np.ndarray:
        """Returns samples per second, [rounds]."""
        return self.by_round[variant].dropna().to_numpy()

    def median(self, variant: str) -> Ratio:
        """Returns the median over rounds in samples per second, with its interval."""
        return median_interval(self.of(variant))

    def ratio(self, variant: str, base: str) -> Ratio | None:
        """Returns a variant's throughput divided by that of `base`.

        Only rounds count in which both had a turn. Without such rounds, returns None.
        """
        if variant not in self.by_round or base not in self.by_round:
            return None
        both = self.by_round[[variant, base]].dropna() if variant != base else None
        if both is None or both.empty:
            return None
        return ratio_of_medians(both[variant].to_numpy(), both[base].to_numpy())

    def ratios(self) -> list[Ratio]:
        """Returns all ratios that the report shows."""
        pairs = [
            (variant, base) for variant in self.variants for base in self.bases(variant).values()
        ]
        return [ratio for ratio in (self.ratio(*pair) for pair in pairs) if ratio is not None]

    def bases(self, variant: str) -> dict[str, str]:
        """Returns the variants that a variant is compared with, by the column of the ratio.

        They are the reference, the floor and, for a tuned profile, the default profile.
        """
        implementation, _, profile = variant.rpartition("-")
        bases = {"relative": self.reference, "of_floor": f"{FLOOR}-{FLOOR}"}
        if profile == "tuned":
            bases["over_default"] = f"{implementation}-default"
        return {
            name: base for name, base in bases.items() if base in self.by_round and base != variant
        }

    @property
    def reference(self) -> str:
        """The variant that has an A/A twin: the first implementation's default profile."""
        twins = [variant for variant in self.variants if variant.endswith(f"-{AGAIN}")]
        return f"{twins[0].removesuffix(AGAIN)}default" if twins else ""
