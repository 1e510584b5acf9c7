"""What an exception says, in a line."""

from __future__ import annotations

FRAME = 'File "'
LONGEST = 200


def one_line(error: BaseException) -> str:
    """Its kind and the first line of what it says, or the last if the first only announces it, as TensorFlow's "in user code:"
    does. Of an error in a compiled graph, TensorFlow first tells where the operation was made; that is left out."""
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
