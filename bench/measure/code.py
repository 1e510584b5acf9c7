"""How much code an implementation is."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

TRAINING = ("network", "input", "train")
"""Modules of an implementation; other profiles have one more, of their name."""


def modules_of(module: ModuleType, profile: str) -> list[ModuleType]:
    """What a training is written in: the module itself, or those of a package that are there."""
    if not hasattr(module, "__path__"):
        return [module]
    names = TRAINING if profile == "default" else [*TRAINING, profile]
    found = [importlib.util.find_spec(f"{module.__name__}.{name}") for name in names]
    return [importlib.import_module(spec.name) for spec in found if spec is not None]


def count_code_lines(modules: Iterable[ModuleType]) -> int:
    """Lines of modules that hold code: no docstrings, comments or blank lines."""
    return sum(len(code_lines(Path(module.__file__).read_text())) for module in modules)


def count_statements(modules: Iterable[ModuleType]) -> int:
    """Statements of modules, docstrings left out: what `ast` calls one, a definition or a compound statement counting one more
    than its body."""
    return sum(
        isinstance(node, ast.stmt) and not _is_docstring(node)
        for module in modules
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
    )


def api_names(modules: Iterable[ModuleType]) -> set[str]:
    """Distinct names that modules use of TensorFlow, as full dotted names from the package on: `tf.nn.relu`."""
    return {
        name
        for module in modules
        for name in _api_names(ast.parse(Path(module.__file__).read_text()))
    }


def _api_names(tree: ast.Module) -> set[str]:
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    chains = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in inner
    ]
    return {chain for chain in chains if re.fullmatch(r"tf(\.\w+)+", chain)}


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def code_lines(source: str) -> set[int]:
    """Numbers of the lines on which a statement or an expression starts or ends."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node)
        for part in ast.walk(node.body[0])
    }
    return {
        line
        for node in ast.walk(tree)
        if hasattr(node, "lineno") and id(node) not in docstrings
        for line in (node.lineno, node.end_lineno)
    }
