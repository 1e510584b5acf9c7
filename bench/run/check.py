"""What must hold before anything is started; each check raises a UserError that says what to do."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from bench.task import Observer, Task, Trained, UserError

IMPLEMENTATIONS = {"lowlevel": "impl_lowlevel", "estimator": "impl_estimator", "keras": "impl_keras"}


def resolve_implementations(names: Sequence[str]) -> dict[str, str]:
    """Name in tables to module, for names of ours and for anybody's importable module."""
    modules = {name: IMPLEMENTATIONS.get(name, name) for name in names}
    for name, module in modules.items():
        if not _is_importable(module):
            raise UserError(f"unknown implementation {name!r}: choose from {', '.join(IMPLEMENTATIONS)}, "
                            "or name an importable module that has train(task, observer)")
    return modules


def load_train(module: str) -> Callable[[Task, Observer], Trained]:
    """The `train` of an implementation: a function of the module itself or, of a package, of its module
    `train`.

    Raises:
        AttributeError, ImportError: it has none, or its own imports fail.
    """
    imported = importlib.import_module(module)
    if hasattr(imported, "__path__"):
        imported = importlib.import_module(f"{module}.train")
    return imported.train


def check_tensorflow(needs_estimator: bool) -> None:
    """TensorFlow is there, and with it Estimator if it is needed."""
    if not _is_importable("tensorflow"):
        raise UserError("TensorFlow is not installed: pip install -e . (or make bench) installs 2.15")
    if needs_estimator and not _is_importable("tensorflow_estimator"):
        raise UserError(f"TensorFlow {metadata.version('tensorflow')} as installed has no Estimator: "
                        "pip install 'tensorflow==2.15.*', the last release with it, or leave estimator out of --impl")


def check_writable(folder: Path) -> None:
    """The folder can be made and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror})") from error


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
