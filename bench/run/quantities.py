"""Options of the command line that are quantities with a unit."""

from __future__ import annotations

import re

import click

SECONDS = {"s": 1, "m": 60, "h": 3600}
BYTES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Percentage(click.ParamType):
    """Takes `2%` or `0.5 %`, above 0. Gives a share of 1."""

    name = "percentage"

    def convert(self, value, param, ctx) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*%", value.strip())
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no percentage above 0, such as 2%", param, ctx)
        return float(found[1]) / 100


class Numbers(click.ParamType):
    """Takes `8,32,128`: whole numbers above 0. Gives each once."""

    name = "numbers"

    def convert(self, value, param, ctx) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and int(part) for part in parts):
            self.fail(
                f"{value!r} is no list of whole numbers above 0, such as 8,32,128", param, ctx
            )
        return tuple(dict.fromkeys(map(int, parts)))


class Duration(click.ParamType):
    """Takes `90s`, `10m` or `1h`, above 0. Gives seconds."""

    name = "duration"

    def convert(self, value, param, ctx) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([smh])", value.strip())
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no time above 0, such as 90s, 10m or 1h", param, ctx)
        return float(found[1]) * SECONDS[found[2]]


class MemorySize(click.ParamType):
    """Takes `512MiB` or `8GiB`, above 0. Gives bytes."""

    name = "size"

    def convert(self, value, param, ctx) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([KMGT]iB)", value.strip())
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no size above 0, such as 512MiB or 8GiB", param, ctx)
        return float(found[1]) * BYTES[found[2]]
