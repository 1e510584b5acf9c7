"""The variants that take turns: each implementation in each of its profiles, and the two
yardsticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.implementations import has_profile
from bench.measure.throughput import AGAIN, FLOOR


@dataclass(frozen=True)
class Variant:
    """One of those that take turns. `profile` is `default` or `tuned`, or names a yardstick."""

    implementation: str
    module: str
    profile: str

    @property
    def name(self) -> str:
        """The stem of its files, without the dataset."""
        return f"{self.implementation}-{self.profile}"


def trained_variants(implementations: dict[str, str], profiles: Sequence[str]) -> list[Variant]:
    """Returns all variants that exist, in the order of the implementations."""
    return [
        Variant(name, module, profile)
        for name, module in implementations.items()
        for profile in profiles
        if has_profile(module, profile)
    ]


def variants_of(implementations: dict[str, str], profiles: Sequence[str]) -> list[Variant]:
    """Returns all variants that exist, then the A/A twin and the floor."""
    variants = trained_variants(implementations, profiles)
    first, module = next(iter(implementations.items()))
    return [*variants, Variant(first, module, AGAIN), Variant(FLOOR, "impl_lowlevel.floor", FLOOR)]


def balanced_orders(count: int) -> list[list[int]]:
    """Returns orders of `count` things. Each thing is equally often at each place, and equally
    often right after each other thing.

    There are `count` orders for an even count, and twice as many for an odd one. Source: Williams
    1949, Experimental designs balanced for the estimation of residual effects of treatments, Aust.
    J. Chem. 2:149.
    """
    zigzag = [(place + 1) // 2 if place % 2 else -place // 2 for place in range(count)]
    orders = [[(step + turn) % count for step in zigzag] for turn in range(count)]
    return orders if count % 2 == 0 else [*orders, *(order[::-1] for order in orders)]
