"""Throughput from the calls of the rounds: of each variant, and of one relative to another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.measure.statistics import Ratio, median_interval, ratio_of_medians

FLOOR = "floor"
"""The network looping in one call on one batch: see `impl_lowlevel.floor`."""

AGAIN = "again"
"""The first implementation's default profile under a second name: what two runs of the same thing differ by."""


class Throughput:
    """`calls` as `bench.results.rounds.read_calls` gives them, of one dataset. A variant's throughput in a round is its
    samples over its seconds in that round's turn."""

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
        """Names, in the order of their first turns' rows."""
        return list(self.by_round.columns)

    def of(self, variant: str) -> np.ndarray:
        """Samples per second, round by round."""
        return self.by_round[variant].dropna().to_numpy()

    def median(self, variant: str) -> Ratio:
        """The median over rounds, with its interval."""
        return median_interval(self.of(variant))

    def ratio(self, variant: str, base: str) -> Ratio | None:
        """Over another variant's, by rounds in which both had turns; None if there are none."""
        if variant not in self.by_round or base not in self.by_round:
            return None
        both = self.by_round[[variant, base]].dropna() if variant != base else None
        if both is None or both.empty:
            return None
        return ratio_of_medians(both[variant].to_numpy(), both[base].to_numpy())

    def ratios(self) -> list[Ratio]:
        """Every comparison that the report makes."""
        pairs = [
            (variant, base) for variant in self.variants for base in self.bases(variant).values()
        ]
        return [ratio for ratio in (self.ratio(*pair) for pair in pairs) if ratio is not None]

    def bases(self, variant: str) -> dict[str, str]:
        """What a variant is compared with: the reference, the floor, and its own default profile."""
        implementation, _, profile = variant.rpartition("-")
        bases = {"relative": self.reference, "of_floor": f"{FLOOR}-{FLOOR}"}
        if profile == "tuned":
            bases["over_default"] = f"{implementation}-default"
        return {
            name: base for name, base in bases.items() if base in self.by_round and base != variant
        }

    @property
    def reference(self) -> str:
        """The variant that has an A/A twin: the first implementation's default."""
        twins = [variant for variant in self.variants if variant.endswith(f"-{AGAIN}")]
        return f"{twins[0].removesuffix(AGAIN)}default" if twins else ""
