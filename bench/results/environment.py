"""What a run says of its machine, packages and settings: environment.json."""

from __future__ import annotations

from pathlib import Path

from bench.results.cells import RawFileError, checked_json
from bench.results.typed import as_fields

FIELDS = {
    "python": "str",
    "cpu": "str",
    "cores_available": "int",
    "packages": "dict[str, str]",
    "quick": "bool",
    "settings": "dict[str, dict]",
}
MAYBE = {"precision": "float | None", "governor": "list[str]"}
MOST_DATASETS = 20


def read_environment(folder: Path) -> dict:
    """All that environment.json says; what reports compute with is there, and of its type.

    Raises:
        FileNotFoundError: there is none.
        RawFileError: it cannot be used.
    """
    path = folder / "environment.json"
    environment = checked_json(path)
    checked = as_fields(
        {**FIELDS, **{name: kind for name, kind in MAYBE.items() if name in environment}},
        environment,
        path,
    )
    if "tensorflow" not in checked["packages"]:
        raise RawFileError(path, "does not say which TensorFlow was measured")
    if len(checked["settings"]) > MOST_DATASETS:
        raise RawFileError(path, f"has more than {MOST_DATASETS} datasets")
    return {**environment, **checked}
