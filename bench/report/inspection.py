"""The result of an inspection of data, as JSON values and as text."""

from __future__ import annotations

from bench.data.estimate import SATURATED
from bench.data.sums import UNPROTECTED
from bench.report.numbers import rounded
from bench.report.offsets import as_values, described, offset_warnings
from bench.run.inspection import Inspection

UNBALANCED = 0.9
"""Share of samples in one class, above which always predicting this class looks like learning."""

HUGE = 2.0**24
"""Above this value, float32 cannot tell all whole numbers apart."""


def as_record(inspection: Inspection) -> dict:
    """Returns the inspection as values for JSON."""
    found = inspection.scan
    return {
        "path": str(inspection.path),
        "samples": len(found.labels),
        "length": found.length,
        "classes": dict(zip(found.classes, found.balance)),
        "lowest": found.low,
        "highest": found.high,
        "stored_as": found.values,
        "scale": scale(inspection),
        "duplicates": found.duplicates,
        "constant": found.constant,
        "offset": inspection.offset.mean,
        "deviation": inspection.offset.deviation,
        "record_offsets": {record.name: as_values(record) for record in inspection.records},
        "logit_step": inspection.logit_step,
        "logit_step_without_offset": inspection.centred_step,
        "sha256": inspection.sha256,
        "checksums": str(inspection.sums) if inspection.sums else None,
        "warnings": warnings(inspection),
    }


def inspection_lines(inspection: Inspection) -> str:
    """Returns the inspection as text."""
    found = inspection.scan
    samples = len(found.labels)
    shares = ", ".join(
        f"{printable(name)}: {count:,} ({count / samples:.1%})"
        for name, count in zip(found.classes, found.balance)
    )
    lines = [
        f"samples      {samples:,}",
        f"length       {found.length:,} values",
        f"range        {found.low:g} to {found.high:g}, stored as {found.values}",
        f"scale        {scale(inspection)}",
        f"offset       {described(inspection)}",
        f"classes      {len(found.classes)}: {shares}",
        f"duplicates   {found.duplicates:,} equal to an earlier sample",
        f"constant     {found.constant:,} hold one value",
        "saturation   one step of training can move a logit by about "
        f"{rounded(inspection.logit_step)}; a sigmoid is flat from {SATURATED:.1f} on",
        f"SHA-256      {inspection.sha256}",
    ]
    return "\n".join([*lines, *(f"warning: {text}" for text in warnings(inspection))])


def scale(inspection: Inspection) -> str:
    """Returns a description of the values."""
    found = inspection.scan
    typical = float(abs(found.examples).mean())
    kind = "whole numbers, as of a converter" if found.whole else "fractions"
    if found.low >= 0 and found.high <= 1:
        kind = "within 0 to 1, as if normalised"
    elif abs(float(found.examples.mean())) < 0.1 and 0.8 < float(found.examples.std()) < 1.25:
        kind = "mean 0 and deviation 1, as if standardised"
    return f"{kind}; {rounded(typical)} on average, without sign"


def warnings(inspection: Inspection) -> list[str]:
    """Returns what somebody who trains on the data should know."""
    found, texts = inspection.scan, list(inspection.remarks)
    samples = len(found.labels)
    texts += offset_warnings(inspection)
    if inspection.logit_step > SATURATED:
        texts.append(
            f"the scale ({rounded(float(abs(found.examples).mean()))}) times the length "
            f"({found.length:,}) makes saturation likely: one step can move a logit by about "
            f"{rounded(inspection.logit_step)}, and a sigmoid is flat from {SATURATED:.1f} on, so "
            "a port that activates its outputs freezes at once; values "
            f"{rounded(inspection.logit_step / SATURATED)} times smaller would not do that"
        )
    largest = max(found.balance)
    if largest > UNBALANCED * samples:
        texts.append(
            f"{largest / samples:.1%} of the samples are of class "
            f"{printable(found.classes[found.balance.index(largest)])}: "
            "always predicting it is as accurate"
        )
    few = [printable(name) for name, count in zip(found.classes, found.balance) if count < 2]
    if few:
        texts.append(
            f"of class {', '.join(few)} there is a single sample; two are needed, one for "
            "evaluation"
        )
    if found.duplicates:
        texts.append(
            f"{found.duplicates:,} samples are there twice, and may be in training and evaluation "
            "both"
        )
    if found.constant:
        texts.append(
            f"{found.constant:,} samples hold one value only: nothing can be learnt from them"
        )
    if found.whole and max(abs(found.low), abs(found.high)) > HUGE:
        texts.append("values beyond 16,777,216 are rounded to float32")
    if inspection.sums is None:
        texts.append(f"{UNPROTECTED} (keep the SHA-256 above, or write one with sha256sum)")
    return texts


def printable(text: str) -> str:
    """Returns the start of a text from a file, without control characters, for the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:60]
