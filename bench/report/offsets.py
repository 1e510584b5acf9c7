"""What an inspection of data says of offsets."""

from __future__ import annotations

from bench.data.estimate import SATURATED
from bench.data.offset import LARGE, Offset, RecordOffset
from bench.data.source import COUNTS_PER_MV
from bench.errors import listed, printable
from bench.report.numbers import rounded
from bench.run.inspection import Inspection

SHOWN = 5
"""Number of records that a warning names, the largest offset first."""


HOW = "examples/move_baselines.py does it in a copy"
"""The program that moves the baselines of all records of a folder."""


def described(inspection: Inspection) -> str:
    """Returns the mean of the values, in units of the signals if all have the same, and what it is
    against their deviation."""
    offset = inspection.offset
    units = {record.unit for record in inspection.records}
    physical = (
        f" ({rounded(offset.mean / COUNTS_PER_MV)} {_unit(units.pop())})" if len(units) == 1 else ""
    )
    return (
        f"the mean is {rounded(offset.mean)}{physical}, {_times(offset)}; an offset is large from "
        f"{LARGE:g} times on"
    )


def as_values(record: RecordOffset) -> dict:
    """Returns the offset of a record as values for JSON."""
    return {
        "mean": record.offset.mean,
        "deviation": record.offset.deviation,
        "unit": record.unit,
        "baseline": record.baseline,
        "mean_count": record.mean_count,
    }


def offset_warnings(inspection: Inspection) -> list[str]:
    """Returns what somebody who trains on values with an offset should do; nothing if it is small.

    It is said, too, of a smaller offset without which the network would not saturate.
    """
    large = [record for record in inspection.records if record.offset.is_large]
    if large:
        return [_named(large, len(inspection.records)) + _effect(inspection)]
    saturates = inspection.centred_step <= SATURATED < inspection.logit_step
    if not inspection.offset.is_large and not saturates:
        return []
    cure = (
        f"move the baseline in each header to the mean of its signal ({HOW})"
        if inspection.records
        else "subtract it from all samples"
    )
    return [
        f"the values have an offset: the mean is {rounded(inspection.offset.mean)}, "
        f"{_times(inspection.offset)}; {cure}{_effect(inspection)}"
    ]


def _named(large: list[RecordOffset], total: int) -> str:
    """Names records with a large offset, and says what to do."""
    ordered = sorted(large, key=lambda record: -abs(record.offset.mean))
    named = listed(
        [
            f"{printable(record.name)} ({rounded(record.offset.mean)} {_unit(record.unit)})"
            for record in ordered
        ],
        SHOWN,
    )
    first = ordered[0]
    return (
        f"{len(large):,} of {total:,} records have an offset of more than {LARGE:g} times their "
        f"deviation: {named}; move the baseline in the header to the mean of the signal, "
        f"for {printable(first.name)} from {first.baseline} to {first.mean_count} "
        f"({HOW})"
    )


def _unit(text: str) -> str:
    """Returns the start of a unit, which a header may make long, for the terminal."""
    return printable(text[:20])


def _times(offset: Offset) -> str:
    if offset.deviation == 0:
        return "and no value differs from it"
    times = abs(offset.mean) / offset.deviation
    return f"{rounded(times)} times the deviation of {rounded(offset.deviation)}"


def _effect(inspection: Inspection) -> str:
    """Returns what the cure does to the estimate of saturation, if it makes it smaller."""
    if inspection.centred_step >= inspection.logit_step:
        return ""
    return (
        f"; one step can then move a logit by about {rounded(inspection.centred_step)}, in place "
        f"of {rounded(inspection.logit_step)}"
    )
