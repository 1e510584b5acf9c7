"""A number as a person reads it."""

from __future__ import annotations


def rounded(value: float) -> str:
    """Returns a number with three digits, or as a whole number from 100 up to a million."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
