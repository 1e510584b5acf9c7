"""The lines of a port's source that a cause is likely to be in, by the names that they have."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path

from bench.diagnose.causes import CAUSES
from bench.implementations import IMPLEMENTATIONS
from bench.parity.result import Explanation

MOST = 3


def lines_of(explanations: list[Explanation], port: str) -> list[Explanation]:
    """The explanations with the lines of the port to look at."""
    sources = source_files(port)
    return [
        replace(found, lines=_lines(sources, CAUSES[found.cause].names)) for found in explanations
    ]


def with_lines(diagnosis, port: str):
    """A diagnosis whose explanations have lines."""
    return replace(diagnosis, explanations=lines_of(diagnosis.explanations, port))


def source_files(port: str) -> list[Path]:
    """The files of a port named as `module:object`, `file.py:object` or a module; those of its package, if it is one."""
    place = port.rpartition(":")[0] if ":" in port else port
    place = IMPLEMENTATIONS.get(place, place)
    if place.endswith(".py"):
        return [Path(place)]
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None:
        return []
    if spec.submodule_search_locations:
        return sorted(Path(spec.origin).parent.glob("*.py"))
    return [Path(spec.origin)]


def _lines(files: list[Path], names: tuple[str, ...]) -> list[str]:
    """Lines that use the first of the names which the files have, up to `MOST`."""
    uses = [(name, path, number, text) for path in files for name, number, text in _uses(path)]
    for wanted in names:
        found = dict.fromkeys(
            f"{path.name}:{number}: {text}" for name, path, number, text in uses if name == wanted
        )
        if found:
            return list(found)[:MOST]
    return []


def _uses(path: Path) -> list[tuple[str, int, str]]:
    """(name, line number, text) of every name, attribute and keyword in a file."""
    text = path.read_text(errors="replace")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    lines, uses = text.splitlines(), []
    for node in ast.walk(tree):
        names = {ast.Name: "id", ast.Attribute: "attr", ast.keyword: "arg"}
        if type(node) in names and getattr(node, "lineno", 0):
            number = (
                getattr(node, "end_lineno", node.lineno)
                if isinstance(node, ast.Attribute)
                else node.lineno
            )
            uses.append((getattr(node, names[type(node)]), number, lines[number - 1].strip()))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.isidentifier()
        ):
            uses.append((node.value, node.lineno, lines[node.lineno - 1].strip()))
    return uses
