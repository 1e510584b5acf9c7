"""Implementations by name: ours, and anybody's importable module."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

from bench.task import Observer, Task, Trained, UserError

CLUSTER = "cluster"
"""The profile that trains on a cluster. In results, the number of workers follows it."""

IMPLEMENTATIONS = {
    "lowlevel": "impl_lowlevel",
    "estimator": "impl_estimator",
    "keras": "impl_keras",
}


def resolve_implementations(names: Sequence[str], profile: str = "default") -> dict[str, str]:
    """Returns name in tables to module, for names of ours and for any importable module.

    Raises:
        UserError: A module is not there, or does not have the profile.
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
    """Returns the function `train` of an implementation.

    It is in the module itself or, if that is a package, in its module `train`. For the profiles
    `tuned` and `cluster` it is in the module of that name.

    Raises:
        AttributeError, ImportError: There is none, or its own imports fail.
    """
    if profile != "default":
        return importlib.import_module(f"{module}.{profile}").train
    imported = importlib.import_module(module)
    if hasattr(imported, "__path__"):
        imported = importlib.import_module(f"{module}.train")
    return imported.train


def has_profile(module: str, profile: str) -> bool:
    """Tells whether an implementation has this profile. All have the default one."""
    return profile == "default" or is_importable(f"{module}.{profile}")


def is_importable(module: str) -> bool:
    """Tells whether a module of that name can be found. It is not run, but its parent packages
    are."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
