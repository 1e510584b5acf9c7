"""Comma-separated values: a sample per line; one column holds the labels, all others values."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.formats.chunk import (
    CHUNK_BYTES,
    LABEL_NAMES,
    MAX_LABEL_CHARACTERS,
    Chunk,
    Unreadable,
    choose_name,
    rows_at_once,
)

CELL_BYTES = 32
"""Room for a number with all its digits: four times what it takes in memory."""

MAX_COLUMNS = 2**18
"""Largest number of columns: each takes 3 KiB in pandas."""

MAX_LINE_BYTES = CELL_BYTES * MAX_COLUMNS
"""Largest size of the first line."""

SEPARATORS = (",", ";", "\t")


def read(path: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """Reads the lines of a file, whose first line may hold names.

    Args:
        path: the file.
        signal: must be None, since all columns but the labels' are values.
        label: the name of the column of labels, or else its number, from 0; -1 is the last.

    Raises:
        Unreadable: the file is damaged, or holds something else.
    """
    if signal is not None:
        raise Unreadable(
            "is CSV, whose signal is all columns but the labels': leave --signal-name out"
        )
    separator, names = _first_line(path)
    has_header = _has_header(names, label)
    column = _label_column(names, has_header, label)
    values = [place for place in range(len(names)) if place != column]
    if not values:
        raise Unreadable(
            "has one column only: a column of values or more and one of labels are needed"
        )
    doubtful = has_header and any(map(_is_number, names))
    size, step = path.stat().st_size, rows_at_once(8 * len(names) + MAX_LABEL_CHARACTERS)
    try:
        with (
            _Bounded(path) as file,
            pd.read_csv(
                file,
                sep=separator,
                header=None,
                names=range(len(names)),
                skiprows=int(has_header),
                chunksize=step,
                engine="c",
                dtype={**dict.fromkeys(values, np.float64), column: str},
                keep_default_na=False,
                na_values={},
                encoding="utf-8-sig",
                float_precision="round_trip",
                skip_blank_lines=True,
            ) as reader,
        ):
            for frame in reader:
                file.taken = 0
                if not isinstance(frame.index, pd.RangeIndex):
                    raise Unreadable(
                        f"has lines of more than {len(names)} columns, "
                        "which is what its first line has"
                    )
                labels = frame[column].str.strip().to_numpy()
                if doubtful and names[column] in labels:
                    raise Unreadable(
                        f"has the label {names[column]!r} in its first line and in others, "
                        "and may be a name in the first or not: "
                        "put a line of other names above it, or instead of it"
                    )
                yield Chunk(
                    frame[values].to_numpy(np.float64), labels, min(1.0, file.tell() / size)
                )
    except (ValueError, OverflowError) as error:  # the errors of pandas's parser are ValueErrors
        raise Unreadable(
            f"is no table of numbers ({' '.join(str(error).split())[:200]})"
        ) from error


class _Bounded(io.FileIO):
    """A file that raises if a chunk takes far too many bytes, however long its lines and cells are.

    `taken` counts the bytes of the chunk; the reader sets it back to 0 after every chunk.
    """

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        if self.taken > CELL_BYTES // 8 * CHUNK_BYTES + MAX_LINE_BYTES:
            raise Unreadable(f"has lines of more than {CELL_BYTES} characters a column")
        return content


def _first_line(path: Path) -> tuple[str, list[str]]:
    """Returns the separator, and the cells of the first line, which are names or numbers."""
    with path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise Unreadable(f"has a first line of more than {MAX_LINE_BYTES // 2**20} MiB")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Unreadable("is no text in UTF-8") from error
    if not text.strip():
        raise Unreadable("is empty, or begins with an empty line")
    separator = max(SEPARATORS, key=text.count)
    if text.count(separator) >= MAX_COLUMNS:
        raise Unreadable(f"has more than {MAX_COLUMNS:,} columns: save such long samples as .npz")
    names = [cell.strip().strip('"') for cell in text.split(separator)]
    return separator, names


def _has_header(names: list[str], label: str | None) -> bool:
    """Returns whether the first line holds names.

    It does if it has no number, or if its numbers count from 0, as pandas names columns, and
    another cell names the labels.

    Raises:
        Unreadable: it may be names or a sample.
    """
    numbers = [cell for cell in names if _is_number(cell)]
    if not numbers:
        return True
    if numbers != [str(place) for place in range(len(numbers))]:
        return False
    if len(numbers) == len(names):
        raise Unreadable(
            "begins with the numbers from 0, which may be names or a sample: "
            "put a line of other names above them, or instead of them"
        )
    return not {label, *LABEL_NAMES}.isdisjoint({*names} - {*numbers})


def _label_column(names: list[str], has_header: bool, label: str | None) -> int:
    if label is not None and (not has_header or label not in names):
        try:
            return range(len(names))[int(label)]
        except (ValueError, IndexError):
            pass
    if not has_header:
        raise Unreadable(
            "has no line of names (its first holds numbers): give the column of labels by its "
            f"number, --label-name 0 to {len(names) - 1}, or -1 for the last"
        )
    return names.index(choose_name(names, label, LABEL_NAMES, "label", "--label-name"))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
