"""A source of samples: a user's file, or a folder, in one of the formats of `bench.data.formats`.

The file is read once, from beginning to end, into a folder of the cache. This holds the values as
rows of float32, from which samples can be drawn in any order, the labels, and what the scan found.
The folder's name is a hash of the file and of the names that are read in it. The SHA-256 of rows
and labels is checked whenever they are used.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench.data.formats import csv, npz, parquet, tfrecords
from bench.data.formats.chunk import Chunk, Unreadable
from bench.data.scan import Scan, scan
from bench.data.shards import sha256
from bench.data.source import SPLITS, Samples, Spec
from bench.data.store import cache_folder, cache_lock
from bench.data.sums import files_digest, read_sums
from bench.durable import sync
from bench.task import UserError

FORMATS = {".npz": npz, ".csv": csv, ".parquet": parquet}

EVALUATION = 0.2
"""Share of every class that is for evaluation."""

SEED = 0
VERSION = 2
"""To be raised when the same file gives other samples."""

ARRAYS = ("rows.f32", "labels.npy")
"""Files of the cache's folder, beside `scan.json`."""


@dataclass(frozen=True)
class UserFile:
    """A file of samples, or a folder of TFRecords.

    `signal` and `label` are names in it, such as those of columns; None takes a usual name.
    """

    path: Path
    signal: str | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """Name of its format."""
        return "tfrecords" if self.path.is_dir() else self.path.suffix.lower().lstrip(".")

    def chunks(self) -> Iterator[Chunk]:
        """Reads its samples, chunk by chunk.

        Raises:
            Unreadable: it is damaged, or holds something else.
        """
        module = tfrecords if self.path.is_dir() else FORMATS[self.path.suffix.lower()]
        return module.read(self.path, self.signal, self.label)

    def files(self) -> list[Path]:
        """Returns the files that are read."""
        return tfrecords.files_of(self.path) if self.path.is_dir() else [self.path]


def check_file(own: UserFile) -> None:
    """Checks that a file exists, has a known format, and agrees with its checksums.

    Raises:
        UserError: it does not.
    """
    if not own.path.exists():
        raise UserError(f"--data {own.path}: there is no such file or folder")
    if own.path.is_dir() and not own.files():
        raise UserError(
            f"--data {own.path}: there is neither a WFDB record (.hea) nor a TFRecord file "
            "(.tfrecord) in it"
        )
    if not own.path.is_dir() and own.path.suffix.lower() not in FORMATS:
        raise UserError(
            f"--data {own.path}: {own.path.suffix or 'no suffix'} is no known format; known are "
            f"{', '.join(FORMATS)}, and folders of TFRecords or of WFDB records"
        )
    sums = read_sums(own.path)
    for file in own.files():
        sums.check(file)


def scan_file(
    own: UserFile,
    on_progress: Callable[[float], None] = lambda share: None,
    rows: BinaryIO | None = None,
) -> Scan:
    """Returns what a file holds; see `bench.data.scan.scan`.

    Raises:
        UserError: the file cannot be used; the message says why.
    """
    check_file(own)
    try:
        return scan(own.chunks(), rows, on_progress)
    except Unreadable as error:
        raise UserError(f"--data {own.path} {error}") from error


class UserData:
    """The samples of a user's file in random order, split by the same share of every class."""

    def __init__(self, own: UserFile, on_progress: Callable[[float], None] = lambda share: None):
        """Reads the file, unless the same file has been read before.

        Raises:
            UserError: the file cannot be used; the message says why.
        """
        check_file(own)
        self.name = own.name
        self.digest = files_digest(own.files())
        self.columns = [own.signal, own.label]
        key = json.dumps([self.digest, self.columns, VERSION])
        self.folder = cache_folder() / f"rows-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        try:
            found = self._found() or self._read(own, on_progress)
        except OSError as error:
            raise UserError(
                f"cannot write the rows of {own.path} to {self.folder.parent}: "
                f"{error.strerror or error}"
            ) from error
        self.classes, self.balance = found["classes"], found["balance"]
        for name, samples in zip(self.classes, self.balance):
            if samples < 2:
                raise UserError(
                    f"--data {own.path} has a single sample of class {name!r}; two are needed, "
                    "one for evaluation"
                )
        self.spec = self._spec(_slug(own.path.stem) or "data", found["length"], found["values"])

    def dataset_parameters(self, spec: Spec) -> dict:
        return {
            "source": self.name,
            "version": VERSION,
            "seed": SEED,
            "sha256": self.digest,
            "columns": self.columns,
        }

    def sizes(self, spec: Spec) -> dict[str, int]:
        return {"train": spec.train, "evaluation": spec.evaluation}

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        labels = np.load(self.folder / "labels.npy", mmap_mode="r", allow_pickle=False)
        rows = np.memmap(self.folder / "rows.f32", "<f4", "r", shape=(len(labels), spec.length))
        chosen = orders(labels)[split][start:stop]
        signal = np.empty((len(chosen), spec.length), spec.values)
        for place, row in enumerate(chosen):
            signal[place] = rows[row]
        return Samples(signal, np.asarray(labels[chosen], np.int64))

    def _spec(self, name: str, length: int, values: str) -> Spec:
        evaluation = sum(map(held_out, self.balance))
        return Spec(
            name, length, sum(self.balance) - evaluation, evaluation, len(self.classes), values
        )

    def _found(self) -> dict | None:
        """Returns what an earlier scan found; None if there was none, or its files are damaged."""
        try:
            found = json.loads((self.folder / "scan.json").read_text())
            return (
                found
                if found["sha256"] == [sha256(self.folder / name) for name in ARRAYS]
                else None
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _read(self, own: UserFile, on_progress: Callable[[float], None]) -> dict:
        with cache_lock() as cache:
            found = self._found()  # another process may have read it while this one waited
            if found is None:
                for left in cache.glob(".rows-*"):  # a process that was killed left it
                    shutil.rmtree(left, ignore_errors=True)
                with tempfile.TemporaryDirectory(prefix=".rows-", dir=cache) as scratch:
                    made = Path(scratch, "made")
                    made.mkdir()
                    found = _write(own, made, on_progress)
                    shutil.rmtree(self.folder, ignore_errors=True)
                    made.rename(self.folder)
                sync(cache)
            return found


def _write(own: UserFile, folder: Path, on_progress: Callable[[float], None]) -> dict:
    """Writes rows, labels and what the scan found, and returns this."""
    with (folder / "rows.f32").open("wb") as rows:
        scanned = scan_file(own, on_progress, rows)
    np.save(folder / "labels.npy", scanned.labels, allow_pickle=False)
    found = {
        "length": scanned.length,
        "values": scanned.values,
        "classes": scanned.classes,
        "balance": scanned.balance,
        "sha256": [sha256(folder / name) for name in ARRAYS],
    }
    (folder / "scan.json").write_text(json.dumps(found))
    for path in (*folder.iterdir(), folder):
        sync(path)
    return found


def held_out(samples: int) -> int:
    """Returns how many of a class's samples are for evaluation: at least one, and not all."""
    return max(1, round(EVALUATION * samples))


def orders(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the places of the samples of each split, in random order.

    The same share of every class is for evaluation.
    """
    generator = np.random.default_rng(SEED)
    splits: dict[str, list] = {split: [] for split in SPLITS}
    for label in np.unique(labels):
        places = generator.permutation(np.flatnonzero(labels == label))
        count = held_out(len(places))
        splits["evaluation"].append(places[:count])
        splits["train"].append(places[count:])
    return {split: generator.permutation(np.concatenate(parts)) for split, parts in splits.items()}


def _slug(text: str) -> str:
    """Returns a name with the characters that may be part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40]
