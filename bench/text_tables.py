"""Tables and figures as text: on the terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from tabulate import tabulate


def spread(values: pd.Series, digits: int | Callable[[float], str]) -> str:
    """`median [lowest, highest]`, or a dash where nothing was measured; with so many decimals, or as a function says."""
    values = values.dropna().astype(float)
    if values.empty:
        return "-"
    show = digits if callable(digits) else f"{{:,.{digits}f}}".format
    return f"{show(values.median())} [{show(values.min())}, {show(values.max())}]"


def power(value: float) -> str:
    """A size for which the power of ten matters; an exact zero is said to be one."""
    return "0" if value == 0 else f"{value:.1e}"


def as_markdown(text: str) -> str:
    """Text that is neither a tag, a link or a picture, nor the end of a table's cell."""
    return text.replace("\\", "\\\\").replace("<", "&lt;").replace("](", "]\\(").replace("|", "\\|")


def as_text(table: pd.DataFrame, style: str, widths: Sequence[int | None] | None = None) -> str:
    """A table in one of tabulate's styles, columns wrapped at `widths` characters; differences between runs are shown to two
    digits. Of the styles `html` and `github`, text is escaped."""
    shown = table.apply(lambda column: column.map(power) if column.dtype == float else column)
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
