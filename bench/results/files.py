"""Reading files that may come from strangers: everything is checked, and nothing is run.

A file is read if it is a regular file, lies within its result folder (symbolic links followed), and
is not larger than the limit for its kind: `MOST_JSON` bytes, or `MOST_TABLE`. JSON is nested
at most `DEEPEST` levels, its integers are those that a float holds, and its texts have at most
`LONGEST` characters. Every text is made `printable`.
"""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import UserError, printable
from bench.results.layout import FOLDERS, FORMAT

MOST_JSON = 16 * 2**20
"""Largest size of a JSON file in bytes."""

MOST_TABLE = 256 * 2**20
"""Largest size of a table in bytes. An hour of rounds of eight variants makes about 160 MB."""

DEEPEST = 20
"""Most levels that JSON is nested."""

LONGEST = 10_000
"""Most characters in a text."""

LONGEST_ERROR = 500
"""Most characters of an error message that are shown."""

MOST_COLUMNS = 1024
"""Most columns of a table: the outputs of 1,000 classes, and the columns before them."""


class RawFileError(UserError):
    """A raw file cannot be used. The report is made without it."""

    def __init__(self, path: Path, what: str):
        super().__init__(printable(f"{path.parent.name}/{path.name} {what}"[:LONGEST_ERROR]))


def left_out(what: str, error: RawFileError) -> str:
    """Returns the line in which a report names something that it was made without."""
    return printable(f"Left out {what}: {error}.")


def check_inside(path: Path) -> None:
    """Checks that a path of a result folder does not lead out of it.

    Raises:
        RawFileError: it does, through a symbolic link.
    """
    folder = path.parent.parent if path.parent.name in FOLDERS else path.parent
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RawFileError(path, "leads out of its folder")


def read_bytes(path: Path, most: int) -> bytes:
    """Returns the content of a file of a result folder.

    Raises:
        FileNotFoundError: there is no such file.
        RawFileError: it is not a regular file, is larger than `most` bytes, or lies elsewhere.
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
        if path.is_symlink():
            raise RawFileError(path, "is a link to a file that is not there") from None
        raise
    except (OSError, RuntimeError, ValueError) as error:
        # A folder in its place, a loop of links, or a name that no file can have.
        raise RawFileError(
            path, f"cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error


def read_json(path: Path) -> object:
    """Returns the value of a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        RawFileError: it is damaged, or breaks a rule of this module's docstring.
    """
    content = read_bytes(path, MOST_JSON)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RawFileError(path, "is damaged: no whole JSON") from error
    return _cleaned(value, DEEPEST, path)


def checked_json(path: Path) -> dict:
    """Returns a JSON object that this version wrote.

    Raises:
        FileNotFoundError: there is no such file.
        RawFileError: it is damaged, not an object, or of another version.
    """
    content = read_json(path)
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != FORMAT:
        found = found if isinstance(found, int) else "another program"
        raise RawFileError(
            path, f"is of format {found}, this version reads {FORMAT}: measure again"
        )
    return content


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
    path: Path, columns: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Reads a table. See `parse_table`."""
    return parse_table(path, read_table_bytes(path), columns, optional)


def read_table_bytes(path: Path) -> bytes:
    """Returns the content of a table.

    Raises:
        RawFileError: the file is missing, or breaks a rule of this module's docstring.
    """
    try:
        return read_bytes(path, MOST_TABLE)
    except FileNotFoundError as error:
        raise RawFileError(path, "is missing") from error


def parse_table(
    path: Path,
    content: bytes,
    columns: Mapping[str, str],
    optional: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Returns some columns of a CSV table.

    Args:
        path: the file, which messages name.
        content: what the file holds.
        columns: the pandas type of each column that must be there.
        optional: the pandas type of each column that may be there.

    Raises:
        RawFileError: the table is damaged, lacks a column, or holds values of another type.
    """
    header = content.split(b"\n", 1)[0]
    if b'"' in header or header.count(b",") >= MOST_COLUMNS:
        raise RawFileError(path, "has another header than this version writes")
    found = header.decode(errors="replace").rstrip("\r").split(",")
    missing = [name for name in columns if name not in found]
    if missing:
        raise RawFileError(path, f"has no column {missing[0]}")
    types = {name: kind for name, kind in {**columns, **(optional or {})}.items() if name in found}
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
    texts = [str(name) for name in table if types[str(name)] == "str"]
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
