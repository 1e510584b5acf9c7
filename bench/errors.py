"""Errors that a user can mend, and text from files made safe to show."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something the user can mend. It is shown as one line on standard error, with exit code 2."""


def listed(texts: Sequence[str], most: int) -> str:
    """Returns the first `most` texts with commas between them, and how many more there are."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def printable(text: str) -> str:
    """Returns one line of text that is safe to show in a terminal.

    It has no control characters, no signs that turn the direction of writing, and no lone
    surrogates. Other white space becomes a space; every other such character becomes U+FFFD.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
