"""What a comparison says: a verdict for every stage, and the first difference in numbers."""

from __future__ import annotations

import json
import math
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
    """Where two ports part: `what` is the variable, layer or quantity; values side by side. `ulps` is the distance of the
    two values that differ most, `of_tolerance` the error relative to the tolerance; both are None where no tolerance
    applies (a name, a count)."""

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
    """One line of the answer. `verdict` is one of `VERDICTS`; `compared` says what was; `notes` what was not seen, and
    known differences; `largest` is the largest difference within rounding."""

    name: str
    verdict: str
    compared: str
    difference: Difference | None = None
    largest: Difference | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """Why two ports part, or why one does not train: `cause` is a name, `title` and `cure` say it in words, `evidence` in
    numbers; `lines` are those of the port's source to look at, as `file:line: text`."""

    cause: str
    stage: str
    title: str
    evidence: str
    cure: str
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Parity:
    """The answer. `setting` says what both were given; `explanations` of the first difference, the likeliest first: none if
    its cause is unknown."""

    reference: str
    candidate: str
    setting: str
    stages: list[Stage]
    seconds: float
    peak_rss_mib: float
    explanations: list[Explanation] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return self.first_different is None

    @property
    def first_different(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.verdict == "different"), None)

    def to_json(self) -> str:
        """One object; numbers that JSON does not know are null."""
        first = self.first_different
        return json.dumps(
            {
                **finite(asdict(self)),
                "same": self.same,
                "first_different": first.name if first else None,
            },
            indent=1,
        )


def difference_of(what: str, judgement: Judgement) -> Difference:
    """A judgement as a difference with values side by side."""
    place = f" at {list(judgement.place)}" if judgement.place else ""
    reference, candidate = (
        ", ".join(f"{value:.8g}" for value in values) for values in judgement.values
    )
    return Difference(
        f"{what}{place}", f"[{reference}]", f"[{candidate}]", judgement.ulps, judgement.ratio
    )


def count(value: float | None) -> str:
    """A size in three digits."""
    if value is None or math.isinf(value):
        return "infinitely many"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def finite(value):
    """A value in which numbers that JSON does not know are None."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
