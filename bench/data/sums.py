"""Checksums that come with data: the only protection that headers, annotations and CSV files have.

Source: PhysioNet puts `SHA256SUMS.txt` beside every database. `sha256sum` writes and checks the
same format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.data.shards import sha256
from bench.task import UserError

NAMES = ("SHA256SUMS.txt", "SHA256SUMS", "sha256sums.txt")
"""Names of a file of checksums."""

MAX_BYTES = 2**24
"""Largest size of a file of checksums."""

UNPROTECTED = (
    "no SHA256SUMS.txt beside it: damage that leaves the format whole, such as another digit, "
    "cannot be noticed"
)
"""What a user is told about data without checksums."""


def sums_file(data: Path) -> Path | None:
    """Returns the file of checksums in a folder, or beside a file; None if there is none."""
    folder = data if data.is_dir() else data.parent
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


@dataclass(frozen=True)
class Sums:
    """The checksums in the file `path`: the SHA-256 of files, by their names in its folder."""

    path: Path
    by_name: dict[str, str]

    def check(self, file: Path) -> None:
        """Checks a file. One without a checksum is not checked, and one that is missing neither.

        Raises:
            UserError: it has another checksum.
        """
        expected = self.by_name.get(file.name)
        if expected is not None and file.is_file() and sha256(file) != expected:
            raise UserError(
                f"{file}: damaged or changed: its SHA-256 is not the one in {self.path.name}"
            )


def read_sums(data: Path) -> Sums:
    """Returns the checksums in the folder, or beside the file, `data`; none if there is no file.

    Raises:
        UserError: the file of checksums is damaged.
    """
    path = sums_file(data)
    return Sums(data, {}) if path is None else Sums(path, _read(path))


def files_digest(paths: Iterable[Path]) -> str:
    """Returns the SHA-256 over names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + bytes.fromhex(sha256(path)))
    return digest.hexdigest()


def _read(path: Path) -> dict[str, str]:
    """Returns the checksums by the names of their files."""
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, and no file of checksums")
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
