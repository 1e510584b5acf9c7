"""Writes files that are either complete on the disk or not there.

This holds whatever interrupts the writing: a kill, a power cut, a full disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

UNFINISHED = ".unfinished"
"""End of the names of files that are being written."""


def write_text(path: Path, text: str) -> None:
    """Writes a file as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a complete file or none: under another name, synced to the disk, then renamed.

    Raises:
        OSError: it cannot be written. What was there before is untouched.
    """
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}-", suffix=UNFINISHED
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
        sync(path.parent)
    except BaseException as error:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folders: Iterable[Path]) -> None:
    """Removes the files that a killed process was writing.

    Nobody else may write into the folders meanwhile.
    """
    for folder in folders:
        for path in folder.glob(f".*{UNFINISHED}"):
            path.unlink()
