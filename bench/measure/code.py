"""How much code an implementation has: lines, statements and names of the API."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

TRAINING = ("network", "input", "train")
"""Modules that the default profile trains with. Every other profile adds the module of its name.

A port's `observe` is not counted: it reports the training to the benchmark.
"""


def modules_of(module: ModuleType, profile: str) -> list[ModuleType]:
    """Returns the modules that train in a profile: of a package, those that it has; else itself."""
    if not hasattr(module, "__path__"):
        return [module]
    names = TRAINING if profile == "default" else [*TRAINING, profile]
    found = [importlib.util.find_spec(f"{module.__name__}.{name}") for name in names]
    return [importlib.import_module(spec.name) for spec in found if spec is not None]


def count_code_lines(modules: Iterable[ModuleType]) -> int:
    """Returns the number of lines that hold code: no docstrings, comments or blank lines."""
    return sum(len(code_lines(_source(module))) for module in modules)


def count_statements(modules: Iterable[ModuleType]) -> int:
    """Returns the number of statements (`ast.stmt`) without docstrings.

    A definition, or another compound statement, counts one more than the statements in its body.
    """
    return sum(
        1
        for module in modules
        for node in ast.walk(ast.parse(_source(module)))
        if isinstance(node, ast.stmt) and not _is_docstring(node)
    )


def api_names(modules: Iterable[ModuleType]) -> set[str]:
    """Returns the distinct names of TensorFlow that modules use, in full: `tf.nn.relu`."""
    return {name for module in modules for name in _api_names(ast.parse(_source(module)))}


def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


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
    """Returns the numbers of the lines on which a statement or an expression starts or ends."""
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
        if id(node) not in docstrings
        for line in (getattr(node, "lineno", None), getattr(node, "end_lineno", None))
        if line is not None
    }
