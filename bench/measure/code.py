"""How much code an implementation is."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType


def count_code_lines(module: ModuleType) -> int:
    """Lines of a module, or of all modules of a package, that hold code: no docstrings, comments or blank lines."""
    if hasattr(module, "__path__"):
        paths = [path for folder in module.__path__ for path in sorted(Path(folder).rglob("*.py"))]
    else:
        paths = [Path(module.__file__)]
    return sum(len(code_lines(path.read_text())) for path in paths)


def code_lines(source: str) -> set[int]:
    """Numbers of the lines on which a statement or an expression starts or ends."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(part) for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)
                  for part in ast.walk(node.body[0])}
    return {line for node in ast.walk(tree) if hasattr(node, "lineno") and id(node) not in docstrings
            for line in (node.lineno, node.end_lineno)}
