"""Chunks of a file of samples, which every format returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.errors import listed

CHUNK_BYTES = 2**24
"""Size of a chunk in memory: a file may be larger than memory, or claim to be."""

CHUNK_SAMPLES = 2**16
"""Largest number of samples in a chunk: short samples take more memory than their values."""

MAX_LABEL_CHARACTERS = 1000
"""Largest number of characters of a label: a longer text is not the name of a class."""

MAX_LENGTH = 2**26
"""Largest number of values of a sample: 256 MiB as float32."""

SIGNAL_NAMES = ("signal", "signals", "x", "X", "features", "data")
LABEL_NAMES = ("label", "labels", "y", "target", "class")
"""Usual names of arrays and columns, tried in this order if the user gives no name."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples of a file.

    Attributes:
        signal: numbers [samples, length].
        labels: numbers or texts [samples].
        done: the share of the file that has been read, 0 to 1.
    """

    signal: np.ndarray
    labels: np.ndarray
    done: float


class Unreadable(Exception):
    """Raised for a file that cannot be used; the message says why, and what to do.

    It goes on after the name of the file: "has two columns of one name".
    """


def choose_name(
    names: list[str], wanted: str | None, usual: tuple[str, ...], what: str, option: str
) -> str:
    """Returns the name `wanted`, or else the first usual name that a file has.

    Args:
        names: the names in the file.
        wanted: the name that the user gave, if any.
        usual: the usual names.
        what: what is named, for the message.
        option: the option that gives the name, for the message.

    Raises:
        Unreadable: the file has no such name.
    """
    if wanted is not None:
        if wanted not in names:
            raise Unreadable(f"has no {wanted!r} ({option}); it has {_listed(names)}")
        return wanted
    found = next((name for name in usual if name in names), None)
    if found is None:
        raise Unreadable(
            f"does not say which is the {what}; it has {_listed(names)}: give {option} NAME"
        )
    return found


def rows_at_once(row_bytes: int) -> int:
    """Returns how many samples of `row_bytes` bytes make up a chunk."""
    return max(1, min(CHUNK_SAMPLES, CHUNK_BYTES // max(1, row_bytes)))


def _listed(names: list[str]) -> str:
    return listed([repr(str(name)[:40]) for name in names], 8) or "nothing"
