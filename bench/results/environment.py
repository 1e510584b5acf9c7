"""The machine, packages and settings of a run: environment.json."""

from __future__ import annotations

from pathlib import Path

from bench.results.files import RawFileError, checked_json
from bench.results.typed import as_fields

REQUIRED = {
    "python": "str",
    "cpu": "str",
    "cores_available": "int",
    "packages": "dict[str, str]",
    "quick": "bool",
    "settings": "dict[str, dict]",
}
"""Fields that reports need, with their types."""

OPTIONAL = {"precision": "float | None", "governor": "list[str]"}
"""Fields that reports use where they are there."""

MOST_DATASETS = 20
"""Largest number of datasets that is read."""


def read_environment(folder: Path) -> dict:
    """Returns all of environment.json. The fields that reports use are checked.

    Raises:
        FileNotFoundError: there is no such file.
        RawFileError: it cannot be used.
    """
    path = folder / "environment.json"
    environment = checked_json(path)
    optional = {name: kind for name, kind in OPTIONAL.items() if name in environment}
    checked = as_fields({**REQUIRED, **optional}, environment, path)
    if "tensorflow" not in checked["packages"]:
        raise RawFileError(path, "does not say which TensorFlow was measured")
    if len(checked["settings"]) > MOST_DATASETS:
        raise RawFileError(path, f"has more than {MOST_DATASETS} datasets")
    return {**environment, **checked}
