"""A piece of a file of samples, as every format gives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK_BYTES = 2**24
"""Of a piece in memory: a file may be larger than memory, or say that it is."""

CHUNK_SAMPLES = 2**16
"""Of a piece: short ones take more memory than their values."""

LABEL = 1000
"""Characters of a label, at most: more are no name of a class."""

LENGTH = 2**26
"""Values a sample, at most: 256 MiB as float32."""

SIGNALS = ("signal", "signals", "x", "X", "features", "data")
LABELS = ("label", "labels", "y", "target", "class")
"""Usual names, tried in this order where none is given."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples: `signal` numbers [samples, length], `labels` numbers or texts [samples]; `done` is the share of the
    file that has been read."""

    signal: np.ndarray
    labels: np.ndarray
    done: float


class Unreadable(Exception):
    """A file that cannot be used; its message says why, and what to do."""


def chosen(
    names: list[str], wanted: str | None, usual: tuple[str, ...], what: str, option: str
) -> str:
    """The name that was asked for, or a usual one.

    Raises:
        Unreadable: there is none.
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
    """Samples in a piece."""
    return max(1, min(CHUNK_SAMPLES, CHUNK_BYTES // max(1, row_bytes)))


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(str(name)[:40]) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "nothing"
