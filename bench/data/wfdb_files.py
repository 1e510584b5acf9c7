"""The files of a WFDB record, checked before they are read.

Source: WFDB Applications Guide, header(5), signal(5) and annot(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb

from bench.task import UserError

HEADER_BYTES = 2**16
"""More than any header of signals has."""

BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}
"""Of a value in the formats of signals that are no more than a row of numbers; the lowest marks a value as invalid."""

DIFFERENCES = "8"
"""The format of differences, which marks none."""

ANNOTATION_BYTES = 2**22
"""More than a month of beats takes."""

SKIP, AUX = 59, 63
"""Codes of annotations that are followed by four bytes, or by a text."""


@dataclass(frozen=True)
class Header:
    """What a record announces of itself: values of a signal, and of the signal that is read its place, gain in counts a unit,
    and baseline."""

    name: str
    length: int
    frequency: float
    channel: int
    gain: float
    baseline: int


def read_header(path: Path, channel: str = "0") -> Header:
    """The header of a record, found to fit its files; `channel` is the number of a signal, from 0, or its name.

    Raises:
        UserError: it is none of a single-segment record, names files outside of its folder, or announces more than they hold.
    """
    where = f"{path.parent}: record {path.stem}"
    if path.stat().st_size > HEADER_BYTES:
        raise UserError(
            f"{where}: {path.name} is larger than {HEADER_BYTES // 1024} KiB, and no header"
        )
    _check_lines(path, where)
    try:
        header = wfdb.rdheader(str(path.with_suffix("")))
        names, formats = list(header.file_name or []), list(header.fmt or [])
    except Exception as error:  # wfdb raises whatever its parsing runs into
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged ({_reason(error)})"
        ) from error
    if not names or not header.sig_len or header.sig_len < 0 or not header.fs or not header.fs > 0:
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged: it names no signal, length or frequency"
        )
    _check_sizes(path.parent, header, names, formats, where)
    place = _channel(header, channel, where)
    gain, baseline = header.adc_gain[place], header.baseline[place]
    if not gain or not np.isfinite(gain) or gain < 0 or baseline is None:
        raise UserError(f"{where}: {path.name} gives no gain for signal {place}")
    if header.checksum is None or header.checksum[place] is None:
        raise UserError(
            f"{where}: {path.name} has no checksum for signal {place}, without which damage would go unnoticed"
        )
    return Header(
        path.stem, int(header.sig_len), float(header.fs), place, float(gain), int(baseline)
    )


def read_counts(folder: Path, header: Header) -> np.ndarray:
    """The signal as the converter gave it, int64 [length].

    Raises:
        UserError: it is not the one that the header describes, or has no valid value somewhere.
    """
    where = f"{folder}: record {header.name}"
    try:
        record = wfdb.rdrecord(str(folder / header.name), physical=False, channels=[header.channel])
    except Exception as error:
        raise UserError(
            f"{where} cannot be read: its signal file is damaged, missing or cut short ({_reason(error)})"
        ) from error
    if record.checksum != record.calc_checksum():
        raise UserError(f"{where}: {header.name}.hea disagrees with the signal file (checksum)")
    if len(record.d_signal) != header.length:
        raise UserError(
            f"{where}: its signal file holds {len(record.d_signal)} values of {header.length}"
        )
    counts, kind = record.d_signal[:, 0], record.fmt[0]
    missing = np.flatnonzero(counts == -(2 ** (BITS[kind] - 1))) if kind != DIFFERENCES else []
    if len(missing):
        raise UserError(
            f"{where}: signal {header.channel} has no valid value at sample {missing[0]} (counted from 0), and at "
            f"{len(missing)} in all, marked by the lowest value of format {kind}: choose another signal"
        )
    return counts


def read_annotations(folder: Path, header: Header) -> tuple[np.ndarray, np.ndarray]:
    """Places and symbols of a record's annotations.

    Raises:
        UserError: the file is missing, cut short, or does not fit the record.
    """
    where, path = f"{folder}: record {header.name}", folder / f"{header.name}.atr"
    if not path.is_file():
        raise UserError(f"{where} has no annotation file {path.name}")
    check_inside(folder, path.name, where)
    if path.stat().st_size > ANNOTATION_BYTES:
        raise UserError(
            f"{where}: {path.name} is larger than {ANNOTATION_BYTES // 2**20} MiB, and no annotations of a record"
        )
    if not _is_whole(path.read_bytes()):
        raise UserError(f"{where} cannot be read: {path.name} is damaged or cut short")
    try:
        annotation = wfdb.rdann(str(folder / header.name), "atr")
    except Exception as error:
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged ({_reason(error)})"
        ) from error
    places = np.asarray(annotation.sample)
    if len(places) and (
        np.any(np.diff(places) < 0) or places[0] < 0 or places[-1] >= header.length
    ):
        raise UserError(
            f"{where}: {path.name} is damaged: its annotations are out of order or out of the signal"
        )
    return places, np.asarray(annotation.symbol)


def check_inside(folder: Path, name: str, where: str) -> None:
    """A file named by a stranger lies in his folder.

    Raises:
        UserError: it does not.
    """
    plain = name not in ("", ".", "..") and not re.search(r"[/\\\0]", name)
    if not plain or (folder / name).resolve().parent != folder.resolve():
        raise UserError(f"{where} names the file {name!r}, which is not in its folder: refused")


def _check_lines(path: Path, where: str) -> None:
    """The first line names the record, which may consist of others (NAME/SEGMENTS), and every other line a file."""
    lines = [
        line
        for line in path.read_text(errors="replace").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    name = lines[0].split()[0] if lines else ""
    if re.fullmatch(r"[\w-]+/\d+", name):
        raise UserError(
            f"{where} consists of several segments; give their folder, with a header each"
        )
    if name != path.stem:
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged: it begins with {name[:40]!r}"
        )
    for line in lines[1:]:
        check_inside(path.parent, line.split()[0], where)


def _check_sizes(folder: Path, header, names: list[str], formats: list[str], where: str) -> None:
    for name in dict.fromkeys(names):
        signals = [place for place, other in enumerate(names) if other == name]
        if any(formats[place] not in BITS for place in signals):
            raise UserError(
                f"{where}: {name} is of format {formats[signals[0]]}; formats {', '.join(BITS)} can be read"
            )
        values = header.sig_len * sum(header.samps_per_frame[place] or 1 for place in signals)
        needed = (values * BITS[formats[signals[0]]] + 7) // 8 + (
            header.byte_offset[signals[0]] or 0
        )
        if not (folder / name).is_file():
            raise UserError(f"{where} cannot be read: there is no file {name}")
        held = (folder / name).stat().st_size
        if held < needed:
            raise UserError(
                f"{where} cannot be read: {name} is cut short: it holds {held:,} bytes of {needed:,}"
            )


def _channel(header, channel: str, where: str) -> int:
    names = [name or "" for name in header.sig_name or []]
    if channel in names:
        return names.index(channel)
    if channel.isdecimal() and int(channel) < len(header.file_name):
        return int(channel)
    raise UserError(
        f"{where} has no signal {channel!r}; it has "
        + ", ".join(f"{place} ({name})" for place, name in enumerate(names))
    )


def _is_whole(content: bytes) -> bool:
    """Whether a file of annotations ends where its end is marked: a word of 0 that is no part of an annotation."""
    place = 0
    while place + 2 <= len(content):
        word = int.from_bytes(content[place : place + 2], "little")
        code, number = word >> 10, word & 0x3FF
        place += 2
        if word == 0:
            return place == len(content)
        place += 4 if code == SKIP else number + number % 2 if code == AUX else 0
    return False


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
