"""Finds a port by its name, and recognises its kind."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import os
import runpy
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow as tf

from bench.implementations import IMPLEMENTATIONS, load_train
from bench.parity.port import InputSpec, Port, PortBatch, Received
from bench.parity.ports.capture import catch_port, watch_data
from bench.parity.ports.functions import estimator_networks, function_networks
from bench.parity.ports.graph import GraphPort
from bench.parity.ports.keras import KerasPort
from bench.parity.ports.keras_inputs import input_spec
from bench.task import Task, UserError

KINDS = (
    "a function that returns a compiled tf.keras.Model, a function build(features, labels, "
    "training), a model_fn, a function that returns an Estimator, or a module with train(task, "
    "observer)"
)


class Target:
    """A port by its name, imported in this process.

    `kind` is `program`, `contract`, `model_fn`, `graph`, `keras` or `estimator`. `function` is
    `train` of a contract module, runs a program, and is the named function otherwise.

    Raises:
        UserError: the port cannot be found, does not import, or is of no known kind.
    """

    def __init__(self, name: str):
        self.name = name
        self.kind: str
        self.function: Callable
        self.kind, self.function = (
            ("program", functools.partial(_run, Path(name)))
            if is_program(name)
            else _recognise(_find(name))
        )
        self._made = None
        self._evaluating: dict[str, np.ndarray] = {}
        if self.kind == "maker":
            self._made = self.function()
            self.kind = _kind_of_made(self._made)

    def port(self, batch: PortBatch | None, task: Task | None) -> Port:
        """Returns the port. `batch` shows the shapes of features and labels; `task` is what a
        contract module trains.

        Raises:
            UserError: a port that declares no input shapes needs a batch.
        """
        if self.kind == "contract":
            if task is None:
                raise ValueError("a contract module trains a task")
            return catch_port(self.function, in_fresh_folder(task), self._evaluating)
        if self.kind == "keras":
            model, self._made = self._made or self.function(), None
            return KerasPort(model, self.function, batch)
        if batch is None:
            raise UserError("it declares no input shapes: give --batch FILE.npz")
        one = {name: value[:1] for name, value in batch.features.items()}
        if self.kind == "graph":
            return GraphPort(*function_networks(self.function, one, batch.labels[:1]))
        made = (
            self._made
            if self.kind == "estimator"
            else tf.estimator.Estimator(
                self.function, model_dir=tempfile.mkdtemp(prefix="bench-parity-")
            )
        )
        return GraphPort(*estimator_networks(made, one, batch.labels[:1]))

    def input_spec(self) -> InputSpec | None:
        """Returns what the port declares of its input; None if it is not a Keras model."""
        if self.kind != "keras":
            return None
        self._made = self._made or self.function()
        return input_spec(self._made)

    def received(self, task: Task) -> Received:
        """Returns what the training steps of a contract module receive.

        Call it before `port`, which then knows what a session is fed when it evaluates. See
        `bench.parity.ports.capture.watch_data`.
        """
        return watch_data(self.function, in_fresh_folder(task), self._evaluating)


def is_program(name: str) -> bool:
    """Returns whether a name is a script that trains when it is run: a Python file, named without
    an object, that has no function `train` of two arguments."""
    path = Path(name)
    if path.suffix != ".py" or not path.is_file():
        return False
    tree = ast.parse(path.read_bytes(), str(path))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return "train" not in imported and not any(
        isinstance(node, ast.FunctionDef) and node.name == "train" and len(node.args.args) == 2
        for node in tree.body
    )


def _run(path: Path) -> None:
    sys.argv = [str(path)]
    sys.path.insert(0, str(path.parent.resolve()))
    runpy.run_path(str(path), run_name="__main__")


def _find(name: str):
    """Returns the object of `module:object` or `file.py:object`, or a module.

    Raises:
        UserError: there is none.
    """
    place, _, attribute = name.rpartition(":") if ":" in name else (name, "", "")
    place = IMPLEMENTATIONS.get(place, place)
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    if not attribute:
        return module
    try:
        return functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        public = [
            word
            for word in vars(module)
            if not word.startswith("_") and callable(getattr(module, word))
        ]
        raise UserError(
            f"{place} has no {attribute!r}; it has {', '.join(public) or 'no functions'}"
        ) from None


def _import_module(place: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise UserError(f"there is no module {place!r}: name module:object or file.py:object")
    return importlib.import_module(place)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _recognise(found: object) -> tuple[str, Callable]:
    """Returns the kind of what a name stands for, and its function. A `maker` returns a model or
    an Estimator.

    Raises:
        UserError: it is of no known kind.
    """
    if isinstance(found, ModuleType):
        try:
            return "contract", load_train(found.__name__)
        except (AttributeError, ModuleNotFoundError) as error:
            raise UserError(
                f"module {found.__name__!r} has no train(task, observer): {error}"
            ) from None
    if not callable(found):
        raise UserError(f"it is {type(found).__name__}, of no known kind: give {KINDS}")
    parameters = inspect.signature(found).parameters
    required = {
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if {"features", "labels", "mode"} <= set(parameters):
        return "model_fn", found
    if {"features", "labels", "training"} <= set(parameters):
        return "graph", found
    if not required:
        return "maker", found
    raise UserError(f"it takes ({', '.join(parameters)}), so it is of no known kind: give {KINDS}")


def _kind_of_made(made) -> str:
    if isinstance(made, tf.keras.Model):
        return "keras"
    if hasattr(tf, "estimator") and isinstance(made, tf.compat.v1.estimator.Estimator):
        return "estimator"
    raise UserError(f"it returned {type(made).__name__}, of no known kind: give {KINDS}")


def in_fresh_folder(task: Task) -> Task:
    """Returns the task with a model folder of its own."""
    return replace(task, model_dir=Path(tempfile.mkdtemp(prefix="bench-parity-")))
