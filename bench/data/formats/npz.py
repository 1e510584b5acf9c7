"""NumPy's `.npz`: an array of samples and one of labels, read in chunks and never unpickled."""

from __future__ import annotations

import errno
import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from bench.data.formats.chunk import (
    LABEL_NAMES,
    MAX_LABEL_CHARACTERS,
    MAX_LENGTH,
    SIGNAL_NAMES,
    Chunk,
    Unreadable,
    choose_name,
    rows_at_once,
)

HEADERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
"""By version of `.npy`: how many bytes hold the size of the header, and NumPy's function for it.

The function would read a header of any size into memory, so the size is checked first.
"""

HEADER_BYTES = 10_000
"""Largest size of a header, as NumPy has it."""


def read(path: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """Reads the array `signal`, [samples, length], and the array `label`, [samples], of a file.

    Raises:
        Unreadable: the file is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            of_labels = choose_name(names, label, LABEL_NAMES, "label", "--label-name")
            of_signal = choose_name(
                [name for name in names if name != of_labels],
                signal,
                SIGNAL_NAMES,
                "signal",
                "--signal-name",
            )
            with (
                archive.open(f"{of_labels}.npy") as labels,
                archive.open(f"{of_signal}.npy") as signals,
            ):
                sizes = [
                    archive.getinfo(f"{name}.npy").file_size for name in (of_signal, of_labels)
                ]
                yield from _rows(
                    _Array(signals, of_signal, sizes[0]), _Array(labels, of_labels, sizes[1])
                )
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        ValueError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
        struct.error,
    ) as error:
        raise Unreadable(f"is damaged, or no .npz file ({str(error)[:200]})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: a seek to a place before the beginning
            raise
        raise Unreadable(
            "is damaged, or no .npz file (its table of contents points outside)"
        ) from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise Unreadable(f"is damaged ({error})") from error
        raise


class _Array:
    """The rows of one array in an `.npz` file, read in their order."""

    def __init__(self, file: IO[bytes], name: str, size: int):
        self.file, self.name = file, name
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise Unreadable(f"has an array {name!r} of the unknown .npy version {version}")
        size_bytes, header = HEADERS[version]
        announced = file.read(size_bytes)
        length = int.from_bytes(announced, "little")
        if length > HEADER_BYTES:
            raise Unreadable(
                f"has an array {name!r} with a header of more than {HEADER_BYTES:,} bytes, "
                "which no numbers need"
            )
        try:
            self.shape, columns_first, self.dtype = header(
                io.BytesIO(announced + file.read(length))
            )
        except Exception as error:  # a header is parsed as Python, with whatever that raises
            raise Unreadable(f"has an array {name!r} with a damaged header") from error
        if self.dtype.hasobject:
            raise Unreadable(
                f"has an array {name!r} of Python objects (pickle), which is code and never loaded"
            )
        if self.dtype.kind not in "biufUS":
            raise Unreadable(f"has an array {name!r} of {self.dtype}, which are no numbers")
        if columns_first and len(self.shape) > 1:
            raise Unreadable(
                f"has an array {name!r} stored column by column: save numpy.ascontiguousarray of it"
            )
        self.row_values = int(np.prod([int(number) for number in self.shape[1:]], dtype=object))
        self.row_bytes = self.row_values * self.dtype.itemsize
        if not self.shape or file.tell() + self.shape[0] * self.row_bytes != size:
            raise Unreadable(
                f"has an array {name!r} that announces the shape {self.shape}, "
                "which is not what it holds"
            )

    def take(self, rows: int) -> np.ndarray:
        """Reads the next rows, [rows, ...]."""
        content = self.file.read(rows * self.row_bytes)
        return np.frombuffer(content, self.dtype).reshape(-1, *self.shape[1:])

    def end(self) -> None:
        """Reads to the end, where `zipfile` checks the checksum."""
        if self.file.read(1):
            raise Unreadable(f"has more bytes in the array {self.name!r} than it announces")


def _rows(signals: _Array, labels: _Array) -> Iterator[Chunk]:
    if labels.row_values != 1:
        raise Unreadable(
            f"has labels {labels.name!r} of shape {labels.shape}; one a sample is needed: "
            "of one-hot rows, take the argmax"
        )
    if labels.row_bytes > 4 * MAX_LABEL_CHARACTERS:  # a character takes four bytes
        raise Unreadable(
            f"has labels {labels.name!r} of up to {labels.row_bytes // 4:,} characters; "
            f"{MAX_LABEL_CHARACTERS:,} at most can be read"
        )
    if (
        len(signals.shape) < 2
        or signals.row_values != max(signals.shape[1:])
        or not 1 <= signals.row_values <= MAX_LENGTH
    ):
        raise Unreadable(
            f"has the signal {signals.name!r} of shape {signals.shape}; [samples, length] is needed"
        )
    if signals.dtype.kind in "US":
        raise Unreadable(f"has the signal {signals.name!r} of texts; numbers are needed")
    total = signals.shape[0]
    if labels.shape[0] != total:
        raise Unreadable(
            f"has {total} samples in {signals.name!r}, "
            f"but {labels.shape[0]} labels in {labels.name!r}"
        )
    step = rows_at_once(signals.row_bytes + labels.row_bytes)
    for start in range(0, total, step):
        rows = min(step, total - start)
        yield Chunk(
            signals.take(rows).reshape(rows, -1),
            labels.take(rows).reshape(rows),
            (start + rows) / total,
        )
    signals.end()
    labels.end()
