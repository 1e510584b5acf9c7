"""SHA-256 digests, by which a record recognises the files that were written with it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from bench.results.files import MOST_TABLE, RawFileError, read_bytes

MOST_FILES = 10
"""Largest number of files that are checked for one record."""


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the SHA-256 of files in `folder`, by name, for the record that is written last."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def read_checked(
    folder: Path, sha256: dict[str, str], wanted: Collection[str] = ()
) -> dict[str, bytes]:
    """Reads the files that a record names, and checks that they were written with it.

    Args:
        folder: the result folder. No file outside of it is read.
        sha256: the digest of each file, by its name relative to the folder.
        wanted: the names of the files whose content is returned.

    Returns:
        The content of the wanted files that the record names, by name.

    Raises:
        RawFileError: a file is missing, or its digest is another.
    """
    contents = {}
    for name, digest in list(sha256.items())[:MOST_FILES]:
        inside = Path(Path(name).parent.name) / Path(name).name  # never out of the folder
        path = folder / inside
        try:
            content = read_bytes(path, MOST_TABLE)
        except FileNotFoundError as error:
            raise RawFileError(path, "is missing") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise RawFileError(path, "is cut short, changed, or of another run")
        if inside.as_posix() in wanted:
            contents[inside.as_posix()] = content
    return contents
