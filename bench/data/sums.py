"""Checksums that come with data: the only protection that headers, annotations and CSV files have.

Source: PhysioNet puts `SHA256SUMS.txt` beside every database; `sha256sum` writes and checks the same format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from bench.data.shards import sha256
from bench.task import UserError

NAMES = ("SHA256SUMS.txt", "SHA256SUMS", "sha256sums.txt")
BYTES = 2**24


UNPROTECTED = "no SHA256SUMS.txt beside it: damage that leaves the format whole, such as another digit, cannot be noticed"


def sums_file(data: Path) -> Path | None:
    """The file of checksums in a folder, or beside a file, if there is one."""
    folder = data if data.is_dir() else data.parent
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def check_sums(data: Path, paths: Iterable[Path]) -> None:
    """Those of the files for which there is a checksum in `data`, a folder, or beside it are what they were when it was made.

    Raises:
        UserError: one is not, or the file of checksums is none.
    """
    path = sums_file(data)
    if path is None:
        return
    sums = _read(path)
    for file in paths:
        if file.name in sums and sha256(file) != sums[file.name]:
            raise UserError(
                f"{file}: damaged or changed: its SHA-256 is not the one in {path.name}"
            )


def folder_digest(folder: Path, suffixes: set[str]) -> str:
    """SHA-256 over the names and the contents of the files with such suffixes."""
    return files_digest(path for path in folder.iterdir() if path.suffix in suffixes)


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and the contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + bytes.fromhex(sha256(path)))
    return digest.hexdigest()


def _read(path: Path) -> dict[str, str]:
    if path.stat().st_size > BYTES:
        raise UserError(f"{path} is larger than {BYTES // 2**20} MiB, and no file of checksums")
    sums = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        digest, _, name = line.strip().partition(" ")
        if (
            len(digest) != 64
            or not set(digest.lower()) <= set("0123456789abcdef")
            or not name.strip(" *")
        ):
            raise UserError(f"{path}, line {number}: is not 'SHA-256  NAME': the file is damaged")
        sums[name.strip(" *").removeprefix("./")] = digest.lower()
    return sums
