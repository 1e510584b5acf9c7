"""Reading files that may come from strangers: nothing of them is believed before it was looked at, and none of it is run.

A file is read if it is a plain one, lies within its result folder, symbolic links followed, and is not larger than the bound for
its kind: `MOST_JSON` bytes, or `MOST_TABLE`. JSON is nested `DEEPEST` levels at most, its whole numbers are those that a float
holds, and its texts are of `LONGEST` characters at most; every text is made `printable`.
"""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import UserError, printable

FOLDERS = ("parity", "rounds", "cells", "steps", "outputs", "traces", "logs")
"""Of a result folder."""

MOST_JSON = 16 * 2**20
MOST_TABLE = 256 * 2**20
"""An hour of rounds of eight variants makes about 160 MB."""

DEEPEST = 20
LONGEST = 10_000
LONGEST_ERROR = 500
MOST_COLUMNS = 1024
"""Outputs of 1,000 classes and what stands beside them."""


class RawFileError(UserError):
    """A raw file that cannot be used; the report is made without it."""

    def __init__(self, path: Path, what: str):
        super().__init__(printable(f"{path.parent.name}/{path.name} {what}"[:LONGEST_ERROR]))


def left_out(what: str, error: RawFileError) -> str:
    """How a report names what it was made without."""
    return printable(f"Left out {what}: {error}.")


def check_inside(path: Path) -> None:
    """A path of a result folder does not lead out of it.

    Raises:
        RawFileError: a symbolic link does.
    """
    folder = path.parent.parent if path.parent.name in FOLDERS else path.parent
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RawFileError(path, "leads out of its folder")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file of a result folder.

    Raises:
        FileNotFoundError: there is none.
        RawFileError: it is no plain file, is larger than `most` bytes, or lies elsewhere.
    """
    try:
        check_inside(path)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RawFileError(path, "is no plain file")
        if status.st_size > most:
            raise RawFileError(
                path, f"is larger than the {most // 2**20} MiB that are read of a file of its kind"
            )
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # a folder in its place, a loop of links, a name that no file can have
        raise RawFileError(
            path, f"cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error


def read_json(path: Path) -> object:
    """A JSON value.

    Raises:
        FileNotFoundError: there is none.
        RawFileError: it is damaged, or not what the head of this module says.
    """
    content = read_bytes(path, MOST_JSON)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RawFileError(path, "is damaged: no whole JSON") from error
    return _cleaned(value, DEEPEST, path)


def _cleaned(value: object, levels: int, path: Path) -> object:
    if not levels:
        raise RawFileError(path, f"holds values nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        return {
            _cleaned(key, levels, path): _cleaned(entry, levels - 1, path)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(entry, levels - 1, path) for entry in value]
    if isinstance(value, int) and abs(value) > 2**53:
        raise RawFileError(path, "holds a whole number beyond those that a float holds")
    return _text(value, path) if isinstance(value, str) else value


def read_table(
    path: Path, columns: Mapping[str, str], optional: Mapping[str, str] = {}
) -> pd.DataFrame:  # noqa: B006
    """The named columns of a CSV table, each of the pandas type that is said; those of `optional` if they are there.

    Raises:
        RawFileError: the file is missing or damaged, lacks a column, or holds something else in one.
    """
    try:
        content = read_bytes(path, MOST_TABLE)
    except FileNotFoundError as error:
        raise RawFileError(path, "is missing") from error
    header = content.split(b"\n", 1)[0]
    if b'"' in header or header.count(b",") >= MOST_COLUMNS:
        raise RawFileError(path, "has another header than this version writes")
    found = header.decode(errors="replace").rstrip("\r").split(",")
    missing = [name for name in columns if name not in found]
    if missing:
        raise RawFileError(path, f"has no column {missing[0]}")
    types = {name: kind for name, kind in {**columns, **optional}.items() if name in found}
    try:
        table = pd.read_csv(
            io.BytesIO(content),
            usecols=list(types),
            dtype=types,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, OverflowError) as error:  # pandas's own errors are ValueErrors
        raise RawFileError(path, f"is no table that this version writes ({error})") from error
    texts = [name for name in table if types[name] == "str"]
    return table.assign(
        **{
            name: table[name].map({text: _text(text, path) for text in table[name].unique()})
            for name in texts
        }
    )


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise RawFileError(path, "lacks a text")
    if len(value) > LONGEST:
        raise RawFileError(
            path, f"holds a text of {len(value):,} characters, more than {LONGEST:,}"
        )
    return printable(value)
