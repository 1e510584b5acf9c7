"""One pass over samples: finds what there is, and whether a network can be trained on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from bench.data.formats.chunk import MAX_LABEL_CHARACTERS, MAX_LENGTH, Chunk, Unreadable

MAX_CLASSES = 1000
"""Largest number of different labels: more are not the names of classes."""

COUNTS = np.iinfo(np.int16)
MAX_EXAMPLES = 256
"""Largest number of samples that are kept as examples. Every sample has the same chance.

Source: Vitter 1985, ACM TOMS 11:37, algorithm R.
"""

EXAMPLES_BYTES = 2**26
"""Largest size of all examples together, unless two take more."""


@dataclass(frozen=True)
class Scan:
    """What a pass over samples found.

    Attributes:
        length: the number of values in a sample.
        classes: the different labels, sorted.
        balance: the number of samples of each class.
        low, high: the smallest and the largest value.
        whole: whether all values are whole numbers.
        duplicates: the number of samples that are equal to an earlier one.
        constant: the number of samples whose values are all equal.
        examples: float32 [2 to 256, length], drawn at random.
        labels: int64 [samples], the number of each sample's class in `classes`.
    """

    length: int
    classes: list[str]
    balance: list[int]
    low: float
    high: float
    whole: bool
    duplicates: int
    constant: int
    examples: np.ndarray
    labels: np.ndarray

    @property
    def values(self) -> str:
        """Type in which the values are stored: int16 if they fit, which takes half the size."""
        return (
            "int16"
            if self.whole and COUNTS.min <= self.low and self.high <= COUNTS.max
            else "float32"
        )


def scan(
    chunks: Iterable[Chunk],
    rows: BinaryIO | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Scan:
    """Looks at all samples, and writes their values to `rows` as float32.

    `on_progress` is told the share of the file that is done.

    Raises:
        Unreadable: the samples differ in length, hold a value that is no number, or belong to fewer
            than two classes.
    """
    generator = np.random.default_rng(0)
    names: dict[str, int] = {}
    labels: list[np.ndarray] = []
    digests: list[np.ndarray] = []
    examples: list[np.ndarray] = []
    length, count, constant, whole, low, high = 0, 0, 0, True, np.inf, -np.inf
    for chunk in chunks:
        signal = chunk.signal
        if count == 0:
            length = signal.shape[1]
            if not 1 <= length <= MAX_LENGTH:
                raise Unreadable(
                    f"has samples of {length:,} values; 1 to {MAX_LENGTH:,} can be read"
                )
        if signal.shape[1] != length:
            raise Unreadable(
                f"has samples of {length} and of {signal.shape[1]} values; "
                "all must be of one length"
            )
        narrow = _as_float32(signal, count)
        labels.append(_places(chunk.labels, names, count))
        digests.append(np.array([hash(row.tobytes()) for row in narrow], np.int64))
        low, high = min(low, float(narrow.min())), max(high, float(narrow.max()))
        constant += int(np.sum(np.ptp(narrow, axis=1) == 0))
        whole = whole and bool(np.all(narrow == np.round(narrow)))
        _keep(examples, narrow, count, generator)
        if rows is not None:
            rows.write(narrow.astype("<f4").tobytes())
        count += len(narrow)
        on_progress(chunk.done)
    if count == 0:
        raise Unreadable("holds no sample")
    order = _in_order(list(names))
    balance = np.bincount(np.concatenate(labels), minlength=len(order))
    if len(order) < 2:
        raise Unreadable(f"has one class only, {order[0]!r}: two or more are needed")
    rank = np.array([order.index(name) for name in names])
    return Scan(
        length,
        order,
        [int(balance[names[name]]) for name in order],
        low,
        high,
        whole,
        count - len(np.unique(np.concatenate(digests))),
        constant,
        np.stack(examples),
        rank[np.concatenate(labels)],
    )


def _as_float32(signal: np.ndarray, before: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(signal, np.float32)
    wrong = ~np.isfinite(narrow)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise Unreadable(
            f"has {signal[row, column]} as value {column} of sample {before + row} "
            "(counted from 0): missing, or no number that fits into float32"
        )
    return narrow


def _places(labels: np.ndarray, names: dict[str, int], before: int) -> np.ndarray:
    """Returns labels as numbers by `names`, to which it adds new labels."""
    found = np.empty(len(labels), np.int64)
    for row, label in enumerate(labels):
        name = _name(label)
        if not name:
            raise Unreadable(f"has no label for sample {before + row} (counted from 0)")
        if len(name) > MAX_LABEL_CHARACTERS:
            raise Unreadable(
                f"has a label of {len(name):,} characters for sample {before + row} "
                f"(counted from 0); {MAX_LABEL_CHARACTERS:,} at most can be read"
            )
        found[row] = names.setdefault(name, len(names))
        if len(names) > MAX_CLASSES:
            raise Unreadable(
                f"has more than {MAX_CLASSES:,} different labels, such as {name[:40]!r}; "
                "are they classes?"
            )
    return found


def _name(label) -> str:
    """Returns a label as text, different for different labels; the float 1.0 is `1`."""
    if isinstance(label, bytes):
        return label.decode(errors="backslashreplace")
    if isinstance(label, (bool, np.bool_)):
        return str(int(label))
    if not isinstance(label, (float, np.floating)):
        return str(label)
    if np.isnan(label):
        return ""
    return str(int(label)) if label == np.round(label) and np.isfinite(label) else str(label)


def _in_order(names: list[str]) -> list[str]:
    """Sorts labels, by number if all of them are numbers."""
    try:
        numbers = {name: float(name) for name in names}
    except ValueError:
        return sorted(names)
    return (
        sorted(names)
        if np.isnan(list(numbers.values())).any()
        else sorted(names, key=lambda name: (numbers[name], name))
    )


def _keep(examples: list, rows: np.ndarray, before: int, generator: np.random.Generator) -> None:
    most = max(2, min(MAX_EXAMPLES, EXAMPLES_BYTES // rows[0].nbytes))
    for number, row in enumerate(rows, start=before):
        place = number if number < most else generator.integers(0, number + 1)
        if number < most:
            examples.append(row.copy())
        elif place < most:
            examples[place] = row.copy()
