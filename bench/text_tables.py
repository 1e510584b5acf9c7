"""Tables and figures as text: on the terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate


def spread(values: pd.Series, digits: int | Callable[[float], str]) -> str:
    """Returns `median [lowest, highest]`, or a dash if there are no values.

    `digits` is the number of decimals, or a function that makes text of a value.
    """
    values = values.dropna().astype(float)
    if values.empty:
        return "-"
    show = digits if callable(digits) else f"{{:,.{digits}f}}".format
    return f"{show(values.median())} [{show(values.min())}, {show(values.max())}]"


def power(value: float) -> str:
    """Returns a value to two digits with its power of ten, and an exact zero as 0."""
    return "0" if value == 0 else f"{value:.1e}"


def as_markdown(text: str) -> str:
    """Returns text in which Markdown finds no tag, link, picture or end of a table's cell."""
    return text.replace("\\", "\\\\").replace("<", "&lt;").replace("](", "]\\(").replace("|", "\\|")


def with_digits(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table whose numbers that are float are texts of two digits."""
    return table.apply(lambda column: column.map(power) if column.dtype == float else column)


def as_text(table: pd.DataFrame, style: str, widths: Sequence[int | None] | None = None) -> str:
    """Returns a table as text.

    Numbers that are float have two digits. In the styles `html` and `github`, text is escaped.

    Args:
        table: the table.
        style: one of tabulate's styles.
        widths: the number of characters at which each column is wrapped.
    """
    shown: Any = with_digits(table)  # tabulate takes data frames, but its types do not say so
    if style == "github":
        shown = shown.map(
            lambda value: as_markdown(value) if isinstance(value, str) else value
        ).rename(columns=as_markdown)
    return tabulate(
        shown,
        headers="keys",
        tablefmt=style,
        showindex=False,
        disable_numparse=True,
        maxcolwidths=widths,
    )
