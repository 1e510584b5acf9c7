"""Replaces functions of another library for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def patched(owner: object, replacements: Mapping[str, object]) -> Iterator[None]:
    """Replaces attributes of a module or class while the block runs, and puts the originals back.

    Args:
        owner: the module or class.
        replacements: the new value of each attribute, by the attribute's name.

    Raises:
        AttributeError: the owner has no such attribute. Nothing is replaced then: a name that the
            library has changed must not pass in silence.
    """
    originals = {name: getattr(owner, name) for name in replacements}
    try:
        for name, value in replacements.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in originals.items():
            setattr(owner, name, value)
