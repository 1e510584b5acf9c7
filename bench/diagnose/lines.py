"""The source lines of a port that are likely to hold a cause, found by the names in them."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path

from bench.diagnose.causes import CAUSES
from bench.diagnose.diagnosis import Diagnosis
from bench.implementations import IMPLEMENTATIONS
from bench.parity.result import Explanation

MOST = 3
"""Largest number of lines per cause."""


def lines_of(explanations: list[Explanation], port: str) -> list[Explanation]:
    """Returns the explanations with the port's lines to check."""
    sources = source_files(port)
    return [
        replace(found, lines=_lines(sources, CAUSES[found.cause].names)) for found in explanations
    ]


def with_lines(diagnosis: Diagnosis, port: str) -> Diagnosis:
    """Returns the diagnosis with lines in its explanations."""
    return replace(diagnosis, explanations=lines_of(diagnosis.explanations, port))


def source_files(port: str) -> list[Path]:
    """Returns the source files of a port.

    Args:
        port: `module:object`, `file.py:object`, or a module; a package has several files.
    """
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
    """Returns up to `MOST` lines that use the first of the names that occurs in the files."""
    uses = [(name, path, number, text) for path in files for name, number, text in _uses(path)]
    for wanted in names:
        found = dict.fromkeys(
            f"{path.name}:{number}: {text}" for name, path, number, text in uses if name == wanted
        )
        if found:
            return list(found)[:MOST]
    return []


def _uses(path: Path) -> list[tuple[str, int, str]]:
    """Returns (name, line number, line) of every name, attribute, keyword and string in a file."""
    text = path.read_text(errors="replace")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    lines = text.splitlines()
    uses = [use for use in map(_use, ast.walk(tree)) if use is not None]
    return [(name, number, lines[number - 1].strip()) for name, number in uses]


def _use(node: ast.AST) -> tuple[str, int] | None:
    """Returns (name, line number) if a node of the syntax tree is or holds an identifier."""
    if isinstance(node, ast.Name):
        return node.id, node.lineno
    if isinstance(node, ast.Attribute):
        return node.attr, node.end_lineno or node.lineno
    if isinstance(node, ast.keyword) and node.arg is not None:
        return node.arg, node.lineno
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value, node.lineno) if node.value.isidentifier() else None
    return None
