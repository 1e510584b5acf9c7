"""The result of a comparison: a verdict for every stage, and differences in numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from bench.parity.rounding import Judgement

VERDICTS = {
    "bit": "same to the bit",
    "rounding": "same within rounding",
    "different": "DIFFERENT",
    "not seen": "not seen",
}


@dataclass(frozen=True)
class Difference:
    """Where two ports differ, with both values in words.

    `what` is the variable, layer or quantity. `ulps` is the distance between the two values that
    differ most. `of_tolerance` is the error relative to the tolerance. Both are None where there
    is no tolerance, as for a name or a count.
    """

    what: str
    reference: str
    candidate: str
    ulps: float | None = None
    of_tolerance: float | None = None

    def __str__(self) -> str:
        size = (
            ""
            if self.ulps is None
            else f", {count(self.ulps)} ULP, {count(self.of_tolerance)} x the tolerance"
        )
        return f"{self.what}: {self.reference} against {self.candidate}{size}"


@dataclass(frozen=True)
class Stage:
    """The result of one stage.

    `verdict` is one of `VERDICTS`. `compared` says what was compared. `difference` is the first
    one beyond rounding, and `largest` the largest within it. `notes` name known differences, and
    what could not be compared.
    """

    name: str
    verdict: str
    compared: str
    difference: Difference | None = None
    largest: Difference | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """Why two ports differ, or why one does not train.

    `cause` is a name; `title` and `cure` are in words, `evidence` in numbers. `lines` are those of
    the port's source to look at, as `file:line: text`.
    """

    cause: str
    stage: str
    title: str
    evidence: str
    cure: str
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Parity:
    """The result of a comparison.

    `setting` says what both ports were given. `explanations` are those of the first difference,
    the likeliest first; none if its cause is unknown.
    """

    reference: str
    candidate: str
    setting: str
    stages: list[Stage]
    seconds: float
    peak_rss_mib: float
    explanations: list[Explanation] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether no stage differs."""
        return self.first_different is None

    @property
    def first_different(self) -> Stage | None:
        """The first stage that differs."""
        return next((stage for stage in self.stages if stage.verdict == "different"), None)

    def to_json(self) -> str:
        """Returns a JSON object. Numbers that JSON does not have, such as infinity, are null."""
        first = self.first_different
        return json.dumps(
            {
                **finite(asdict(self)),
                "same": self.same,
                "first_different": first.name if first else None,
            },
            indent=1,
        )


def difference_between(what: str, values: Iterable[str]) -> Difference:
    """Returns the difference of two values in words: the reference's and the candidate's."""
    reference, candidate = values
    return Difference(what, reference, candidate)


def difference_of(what: str, judgement: Judgement) -> Difference:
    """Returns a judgement as a difference."""
    place = f" at {list(judgement.place)}" if judgement.place else ""
    reference, candidate = (
        ", ".join(f"{value:.8g}" for value in values) for values in judgement.values
    )
    return Difference(
        f"{what}{place}", f"[{reference}]", f"[{candidate}]", judgement.ulps, judgement.ratio
    )


def count(value: float | None) -> str:
    """Returns a size in words, with three digits."""
    if value is None or math.isinf(value):
        return "infinitely many"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def finite(value):
    """Returns a value of dicts and lists with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
