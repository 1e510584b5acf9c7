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
"""Largest size of a header: more than any header of signals takes."""

BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}
"""Bits of a value, by signal format, for the formats that are rows of numbers without compression.

In all of them but `DIFFERENCES`, the lowest number marks a value as invalid.
"""

DIFFERENCES = "8"
"""The format that holds differences, and cannot mark a value as invalid."""

ANNOTATION_BYTES = 2**22
"""Largest size of a file of annotations: more than a month of beats takes."""

SKIP, AUX = 59, 63
"""Codes of annotations: after `SKIP` come four bytes, after `AUX` a text."""


@dataclass(frozen=True)
class Header:
    """What the header of a record says.

    Attributes:
        name: the name of the record.
        length: the number of values of a signal.
        frequency: the sampling in Hz.
        channel: the number of the signal that is read, from 0.
        gain: of that signal, in counts per physical unit.
        baseline: of that signal, in counts.
        unit: of that signal's values; mV if the header names none.
        files: the names of the files that hold signals.
    """

    name: str
    length: int
    frequency: float
    channel: int
    gain: float
    baseline: int
    unit: str
    files: tuple[str, ...]


def signal_files(path: Path) -> tuple[str, ...]:
    """Returns the names of the files that a header names, each once.

    The first line of a header names the record, and each other line a file. The first line of a
    record of several segments is `NAME/SEGMENTS`; such a record is refused.

    Raises:
        UserError: the file is no header of a record with one segment, or names a file outside of
            its folder.
    """
    where = f"{path.parent}: record {path.stem}"
    if not path.is_file():
        raise UserError(f"{where}: {path.name} is no file")
    if path.stat().st_size > HEADER_BYTES:
        raise UserError(
            f"{where}: {path.name} is larger than {HEADER_BYTES // 1024} KiB, and no header"
        )
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
    names = tuple(dict.fromkeys(line.split()[0] for line in lines[1:]))
    for name in names:
        check_inside(path.parent, name, where)
    return names


def read_header(path: Path, channel: str = "0") -> Header:
    """Reads the header of a record, and checks that it fits the record's files.

    `channel` is the number of a signal, from 0, or its name.

    Raises:
        UserError: it is not the header of a record with one segment, it names a file outside of its
            folder, or it announces more values than the files hold.
    """
    where = f"{path.parent}: record {path.stem}"
    files = signal_files(path)
    try:
        header = wfdb.rdheader(str(path.with_suffix("")))
        names, formats = list(header.file_name or []), list(header.fmt or [])
    except Exception as error:  # wfdb raises whatever its parsing runs into
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged ({_reason(error)})"
        ) from error
    if not names or not header.sig_len or header.sig_len < 0 or not header.fs or not header.fs > 0:
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged: "
            "it names no signal, length or frequency"
        )
    _check_sizes(path.parent, header, names, formats, where)
    place = _channel(header, channel, where)
    gain, baseline = header.adc_gain[place], header.baseline[place]
    if not gain or not np.isfinite(gain) or gain < 0 or baseline is None:
        raise UserError(f"{where}: {path.name} gives no gain for signal {place}")
    if header.checksum is None or header.checksum[place] is None:
        raise UserError(
            f"{where}: {path.name} has no checksum for signal {place}, "
            "without which damage would go unnoticed"
        )
    return Header(
        name=path.stem,
        length=int(header.sig_len),
        frequency=float(header.fs),
        channel=place,
        gain=float(gain),
        baseline=int(baseline),
        unit=header.units[place] or "mV",
        files=files,
    )


def read_counts(folder: Path, header: Header) -> np.ndarray:
    """Reads the signal in the counts of the analogue-to-digital converter, int64 [length].

    Raises:
        UserError: it does not agree with the header, or a value is marked as invalid.
    """
    where = f"{folder}: record {header.name}"
    try:
        record = wfdb.rdrecord(str(folder / header.name), physical=False, channels=[header.channel])
    except Exception as error:
        raise UserError(
            f"{where} cannot be read: its signal file is damaged, missing or cut short "
            f"({_reason(error)})"
        ) from error
    if record.checksum != record.calc_checksum():
        raise UserError(f"{where}: {header.name}.hea disagrees with the signal file (checksum)")
    if len(record.d_signal) != header.length:
        raise UserError(
            f"{where}: its signal file holds {len(record.d_signal)} values of {header.length}"
        )
    counts, kind = record.d_signal[:, 0], record.fmt[0]
    missing = np.flatnonzero(counts == -(2 ** (BITS[kind] - 1)))
    if kind != DIFFERENCES and len(missing):
        raise UserError(
            f"{where}: signal {header.channel} has no valid value at sample {missing[0]} "
            f"(counted from 0), and at {len(missing)} in all, marked by the lowest value of format "
            f"{kind}: choose another signal"
        )
    return counts


def read_annotations(folder: Path, header: Header) -> tuple[np.ndarray, np.ndarray]:
    """Reads the places, int64 [annotations], and the symbols, text [annotations], of a record.

    Places are sample numbers, counted from 0. They may lie outside of the signal.

    Raises:
        UserError: the file is missing, is damaged or cut short, or is too large for a record.
    """
    where, path = f"{folder}: record {header.name}", folder / f"{header.name}.atr"
    if not path.is_file():
        raise UserError(f"{where} has no annotation file {path.name}")
    check_inside(folder, path.name, where)
    if path.stat().st_size > ANNOTATION_BYTES:
        raise UserError(
            f"{where}: {path.name} is larger than {ANNOTATION_BYTES // 2**20} MiB, "
            "and no annotations of a record"
        )
    if not _is_whole(path.read_bytes()):
        raise UserError(f"{where} cannot be read: {path.name} is damaged or cut short")
    try:
        annotation = wfdb.rdann(str(folder / header.name), "atr")
    except Exception as error:
        raise UserError(
            f"{where} cannot be read: {path.name} is damaged ({_reason(error)})"
        ) from error
    return np.asarray(annotation.sample), np.asarray(annotation.symbol, str)


def check_inside(folder: Path, name: str, where: str) -> None:
    """Checks that a name that was read from a file is that of a file in `folder`.

    Raises:
        UserError: it is not.
    """
    plain = name not in ("", ".", "..") and not re.search(r"[/\\\0]", name)
    if not plain or (folder / name).resolve().parent != folder.resolve():
        raise UserError(f"{where} names the file {name!r}, which is not in its folder: refused")


def _check_sizes(folder: Path, header, names: list[str], formats: list[str], where: str) -> None:
    for name in dict.fromkeys(names):
        signals = [place for place, other in enumerate(names) if other == name]
        if any(formats[place] not in BITS for place in signals):
            raise UserError(
                f"{where}: {name} is of format {formats[signals[0]]}; "
                f"formats {', '.join(BITS)} can be read"
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
                f"{where} cannot be read: {name} is cut short: "
                f"it holds {held:,} bytes of {needed:,}"
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
    """Returns whether a file of annotations ends with its end mark.

    The mark is a word of 0 that is not part of an annotation.
    """
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
