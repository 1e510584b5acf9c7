"""The levels of the project's packages, who imports whom, and the picture of both.

`tests/test_architecture.py` holds the imports to `LEVELS`; `docs/make.py` draws the picture.
"""

from __future__ import annotations

import ast
import textwrap
from html import escape
from pathlib import Path

from bench.implementations import IMPLEMENTATIONS

ROOT = Path(__file__).parent.parent

LEVELS = {
    "deadline": 0,
    "errors": 0,
    "task": 1,
    "implementations": 2,
    "durable": 2,
    "patched": 2,
    "text_tables": 2,
    "process": 2,
    "data": 3,
    "measure": 4,
    "parity": 5,
    "results": 6,
    "diagnose": 7,
    "traps": 8,
    "run": 9,
    "report": 10,
    "cli": 11,
    "__main__": 12,
}
"""Packages and modules of `bench`, each with its level: it may import what has a lower one."""

WIDTH, GAP, LINE, PADDING = 940, 8, 15, 8
CHARACTER = 6.1
"""Sizes in the picture, in pixels. The last is about the width of a character of 11 pixels."""

BLUE, ORANGE = ("#eef4fa", "#1b6ca8"), ("#fdf3e7", "#e8871e")
"""Fill and border of boxes."""


def imported_parts(path: Path) -> set[str]:
    """Returns the packages and modules of `bench` that a file imports, within functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            bench = node.module == "bench"
            names.update(
                [f"bench.{alias.name}" for alias in node.names] if bench else [node.module]
            )
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("bench.")}


def files_of(part: str) -> list[Path]:
    """Returns the files of a package or module of `bench`."""
    return [*(ROOT / "bench" / part).rglob("*.py"), *(ROOT / "bench").glob(f"{part}.py")]


def imports_of(part: str) -> list[str]:
    """Returns what a part of `bench` imports from other parts, the highest level first."""
    imported = set().union(*(imported_parts(path) for path in files_of(part))) - {part}
    return sorted(imported, key=lambda name: (-LEVELS[name], name))


def purpose_of(part: str) -> str:
    """Returns the first sentence of a part's docstring."""
    package, module = (ROOT / "bench" / name for name in (f"{part}/__init__.py", f"{part}.py"))
    path = package if package.exists() else module
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = " ".join(docstring.split("\n\n")[0].split()).replace("`", "")
    return first.split(". ")[0].rstrip(".")


def picture() -> str:
    """Returns the packages as an SVG: a row a level, and each may import from the rows below."""
    rows = [
        [(part, purpose_of(part), imports_of(part)) for part in LEVELS if LEVELS[part] == level]
        for level in sorted(set(LEVELS.values()), reverse=True)
    ]
    exhibit = [(name, "Bench loads it by its name", ["task"]) for name in IMPLEMENTATIONS.values()]
    shapes: list[str] = []
    top = GAP
    rows.insert(len(rows) - 1 - LEVELS["task"], exhibit)
    for row in rows:
        boxes, height = _boxes(row, top, ORANGE if row is exhibit else BLUE)
        shapes += boxes
        top += height + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def _boxes(
    parts: list[tuple[str, str, list[str]]], top: int, colors: tuple[str, str]
) -> tuple[list[str], int]:
    """Draws parts (name, purpose, imports) side by side from `top` on; returns the height too."""
    width = (WIDTH - GAP) / len(parts) - GAP
    columns = int((width - 2 * PADDING) / CHARACTER)
    texts = [
        (
            name,
            textwrap.wrap(purpose, columns),
            textwrap.wrap("imports " + (", ".join(imports) or "nothing of bench"), columns),
        )
        for name, purpose, imports in parts
    ]
    height = LINE * max(1 + len(purpose) + len(imported) for _, purpose, imported in texts)
    height += 2 * PADDING
    shapes = []
    for place, (name, purpose, imported) in enumerate(texts):
        left = GAP + place * (width + GAP)
        shapes.append(
            f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{height}" rx="4" '
            f'fill="{colors[0]}" stroke="{colors[1]}"/>'
        )
        lines = [
            (name, 'font-weight="bold" font-size="13"'),
            *((line, 'fill="#222"') for line in purpose),
            *((line, 'fill="#777"') for line in imported),
        ]
        shapes += [
            f'<text x="{left + PADDING:.0f}" y="{top + PADDING + LINE * number - 4}" {style}>'
            f"{escape(line)}</text>"
            for number, (line, style) in enumerate(lines, 1)
        ]
    return shapes, height
