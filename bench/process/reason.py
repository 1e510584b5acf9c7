"""The message of an exception in one line."""

from __future__ import annotations

FRAME = 'File "'
"""Beginning of a line in which TensorFlow names the place where an operation was made."""

LONGEST = 200
"""Largest number of characters of a message."""


def one_line(error: BaseException) -> str:
    """Returns the type of an exception and the line of its message that says what is wrong.

    This is the first line, or the last if the first only introduces it, as TensorFlow's "in user
    code:" does. For an error in a compiled graph, TensorFlow first tells where the operation was
    made; this part is left out.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0] == "Graph execution error:":
        told = max(
            (number for number, line in enumerate(lines, start=1) if line.startswith(FRAME)),
            default=0,
        )
        lines = lines[told:]
    lines = [line for line in lines if not line.startswith("[[")]
    if not lines:
        return type(error).__name__
    return f"{type(error).__name__}: {lines[-1 if lines[0].endswith(':') else 0][:LONGEST]}"
