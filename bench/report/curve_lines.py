"""Curves of trainings: those of several implementations that lie on one another are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bench.report.frames import groups
from bench.report.parity import is_stamped
from bench.report.theme import COLORS, color_of_outputs


@dataclass(frozen=True)
class CurveLine:
    """The curve of all implementations that train one network, with equal seeds.

    Attributes:
        outputs: what goes into the loss.
        seed: the seed of all.
        apart: why the curve stands alone, or empty: an implementation that is not the same
            network, or a profile other than the default one.
        implementations: whose curve it is.
        points: by epoch or step, over the implementations: `middle`, `low` and `high`.
    """

    outputs: str
    seed: int
    apart: str
    implementations: list[str]
    points: pd.DataFrame

    @property
    def name(self) -> str:
        """What the legend calls it: `logits`, or `keras cluster2, logits`."""
        return f"{self.apart}, {self.outputs}" if self.apart else self.outputs

    @property
    def difference(self) -> float:
        """The largest difference between its implementations at any point with finite values."""
        differences = (self.points["high"] - self.points["low"]).dropna()
        return float(differences.max()) if len(differences) else 0.0


def curve_lines(frame: pd.DataFrame, x: str, y: str) -> list[CurveLine]:
    """Returns the curves of one dataset, with the column `y` over the column `x`.

    Tuned profiles are left out if there are default ones, since they lie on them.

    Args:
        frame: a row an evaluation or a step, with the columns of a cell's name. Implementations
            that failed parity are stamped, see `bench.report.parity.stamp`.
        x: `epoch` or `global_step`.
        y: the column that is shown.
    """
    default = frame[frame["profile"] == "default"]
    shown = default if len(default) else frame
    shown = shown.assign(apart=[_apart(*names) for names in _names(shown)])
    return [
        _line(outputs, seed, apart, cells, x, y)
        for (outputs, apart, seed), cells in groups(shown, ["outputs", "apart", "seed"])
    ]


def colors_of(lines: Iterable[CurveLine]) -> dict[str, str]:
    """Returns a colour for each name of a curve.

    It tells logits from activated outputs. Curves that stand alone have colours of their own.
    """
    lines = list(lines)
    apart = list(dict.fromkeys(line.apart for line in lines if line.apart))
    own = {name: COLORS[2 + place % (len(COLORS) - 2)] for place, name in enumerate(apart)}
    return {line.name: own.get(line.apart, color_of_outputs(line.outputs)) for line in lines}


def agreement_text(lines: Iterable[CurveLine]) -> str:
    """Returns in a sentence by how much the implementations of the same curves differ."""
    merged = [line for line in lines if len(line.implementations) > 1]
    if not merged:
        return ""
    count = max(len(line.implementations) for line in merged)
    largest = max(line.difference for line in merged)
    return (
        f"The {count} implementations give the same curve to the last digit."
        if largest == 0
        else f"A curve is that of {count} implementations, which differ by {largest:.1e} at most."
    )


def _names(frame: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return zip(frame["implementation"], frame["profile"])


def _apart(implementation: str, profile: str) -> str:
    if profile != "default":
        return f"{implementation} {profile}"
    return implementation if is_stamped(implementation) else ""


def _line(outputs: str, seed: int, apart: str, cells: pd.DataFrame, x: str, y: str) -> CurveLine:
    by_x = cells.groupby(x)[y]
    points = pd.DataFrame({"middle": by_x.median(), "low": by_x.min(), "high": by_x.max()})
    return CurveLine(outputs, seed, apart, list(dict.fromkeys(cells["implementation"])), points)
