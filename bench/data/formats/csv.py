"""Comma-separated values: a line a sample, a column of labels, all other columns its values in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.formats.chunk import LABELS, LENGTH, Chunk, Unreadable, chosen, rows_at_once

LINE_BYTES = 2**28
"""Of the first line, at most."""

SEPARATORS = (",", ";", "\t")


def read(path: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """The lines of a file, with a first line of names or without; `label` names the column of labels, or numbers it from 0 (the
    last is -1).

    Raises:
        Unreadable: it is damaged, or holds something else.
    """
    if signal is not None:
        raise Unreadable("is CSV, whose signal is all columns but the labels': leave --signal-name out")
    separator, names = _first_line(path)
    has_header = label in names or not {*LABELS}.isdisjoint(names) or not any(map(_is_number, names))
    column = _label_column(names, has_header, label)
    values = [place for place in range(len(names)) if place != column]
    if not 1 <= len(values) <= LENGTH:
        raise Unreadable(f"has {len(values)} columns of values; 1 to {LENGTH:,} can be read")
    size, step = path.stat().st_size, rows_at_once(8 * len(names))
    try:
        with path.open("rb") as file, pd.read_csv(
                file, sep=separator, header=None, names=range(len(names)), skiprows=int(has_header), chunksize=step, engine="c",
                dtype={**dict.fromkeys(values, np.float64), column: str}, keep_default_na=False, na_values={}, encoding="utf-8-sig",
                float_precision="round_trip", skip_blank_lines=True) as reader:
            for frame in reader:
                if not isinstance(frame.index, pd.RangeIndex):
                    raise Unreadable(f"has lines of more than {len(names)} columns, which is what its first line has")
                labels = frame[column].str.strip().to_numpy()
                yield Chunk(frame[values].to_numpy(np.float64), labels, min(1.0, file.tell() / size))
    except (ValueError, UnicodeDecodeError, OverflowError) as error:  # pandas's parser errors are ValueErrors
        raise Unreadable(f"is no table of numbers ({' '.join(str(error).split())[:200]})") from error


def _first_line(path: Path) -> tuple[str, list[str]]:
    """Separator and cells of the first line, which are names or numbers."""
    with path.open("rb") as file:
        line = file.readline(LINE_BYTES)
    if len(line) == LINE_BYTES:
        raise Unreadable(f"has a first line of more than {LINE_BYTES // 2**20} MiB")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Unreadable("is no text in UTF-8") from error
    if not text.strip():
        raise Unreadable("is empty, or begins with an empty line")
    separator = max(SEPARATORS, key=text.count)
    names = [cell.strip().strip('"') for cell in text.split(separator)]
    return separator, names


def _label_column(names: list[str], has_header: bool, label: str | None) -> int:
    if label is not None and (not has_header or label not in names):
        try:
            return range(len(names))[int(label)]
        except (ValueError, IndexError):
            pass
    if not has_header:
        raise Unreadable(f"has no line of names: give the column of labels by its number, --label-name 0 to {len(names) - 1}, or -1 "
                         "for the last")
    return names.index(chosen(names, label, LABELS, "label", "--label-name"))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
