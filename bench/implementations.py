"""Implementations by name: ours, and anybody's importable module."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

from bench.task import Observer, Task, Trained, UserError

CLUSTER = "cluster"
"""The profile that trains on a cluster; followed by the number of workers where it was measured."""

IMPLEMENTATIONS = {
    "lowlevel": "impl_lowlevel",
    "estimator": "impl_estimator",
    "keras": "impl_keras",
}


def resolve_implementations(names: Sequence[str], profile: str = "default") -> dict[str, str]:
    """Name in tables to module, for names of ours and for anybody's importable module; all have such a profile.

    Raises:
        UserError: one is not there, or has none.
    """
    modules = {name: IMPLEMENTATIONS.get(name, name) for name in names}
    for name, module in modules.items():
        if not is_importable(module):
            raise UserError(
                f"unknown implementation {name!r}: choose from {', '.join(IMPLEMENTATIONS)}, "
                "or name an importable module that has train(task, observer)"
            )
        if not has_profile(module, profile):
            raise UserError(
                f"{name!r} has no module {profile!r} with train(task, observer), as impl_keras has"
            )
    return modules


def load_train(module: str, profile: str = "default") -> Callable[[Task, Observer], Trained]:
    """The `train` of an implementation: a function of the module itself or, of a package, of its module `train`; in the
    profiles `tuned` and `cluster`, of its module of that name.

    Raises:
        AttributeError, ImportError: it has none, or its own imports fail.
    """
    if profile != "default":
        return importlib.import_module(f"{module}.{profile}").train
    imported = importlib.import_module(module)
    if hasattr(imported, "__path__"):
        imported = importlib.import_module(f"{module}.train")
    return imported.train


def has_profile(module: str, profile: str) -> bool:
    """Whether an implementation has such a profile; all have the default one."""
    return profile == "default" or is_importable(f"{module}.{profile}")


def is_importable(module: str) -> bool:
    """Whether a module of that name can be found, without running it; its parent packages are run."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
