"""Implementations by name: ours, and anybody's importable module."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

from bench.task import Observer, Task, Trained, UserError

CLUSTER = "cluster"
"""The profile that trains on a cluster. In results its name ends with the number of workers."""

IMPLEMENTATIONS = {
    "lowlevel": "impl_lowlevel",
    "estimator": "impl_estimator",
    "keras": "impl_keras",
}


def resolve_implementations(names: Sequence[str], profile: str = "default") -> dict[str, str]:
    """Returns the module of each implementation, by its name in tables.

    A name is one of `IMPLEMENTATIONS`, or that of any importable module.

    Raises:
        UserError: there is no such module, or it does not have the profile.
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
    """Returns the function `train` of an implementation in a profile.

    The default profile has it in the module itself or, of a package, in its module `train`. Every
    other profile has it in the module of the profile's name.

    Raises:
        AttributeError, ImportError: there is no such function, or the module's own imports fail.
    """
    if profile != "default":
        return importlib.import_module(f"{module}.{profile}").train
    imported = importlib.import_module(module)
    if hasattr(imported, "__path__"):
        imported = importlib.import_module(f"{module}.train")
    return imported.train


def has_profile(module: str, profile: str) -> bool:
    """Returns whether an implementation has a profile. All have the default profile."""
    return profile == "default" or is_importable(f"{module}.{profile}")


def is_importable(module: str) -> bool:
    """Returns whether a module can be found. It is not run, but its parent packages are."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
