"""The timed imports of the implementations: imports.json."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from bench.durable import write_text
from bench.results.files import RawFileError, checked_json, left_out
from bench.results.layout import FORMAT
from bench.results.typed import as_fields

IMPORTS = "imports.json"
COLUMNS = {"implementation": "str", "round": "int", "import_s": "float"}


def write_imports(folder: Path, rows: list[dict], fingerprint: str = "") -> None:
    """Writes the timed imports.

    Args:
        folder: the result folder.
        rows: one dictionary with the keys `COLUMNS` per import.
        fingerprint: the hash of what was imported.
    """
    content = {"format": FORMAT, "fingerprint": fingerprint, "imports": rows}
    write_text(folder / IMPORTS, json.dumps(content, indent=1))


def read_imports(folder: Path, problems: list[str]) -> pd.DataFrame:
    """Returns the timed imports, one row each; no rows if imports were not measured.

    A damaged file gives no rows either, and a line in `problems` that says why.
    """
    try:
        rows = _read_rows(folder / IMPORTS)
    except RawFileError as error:
        problems.append(left_out("the timed imports", error))
        rows = []
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _read_rows(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    rows = as_fields({"imports": "list[dict]"}, checked_json(path), path)["imports"]
    return [as_fields(COLUMNS, row, path) for row in rows]


def read_imports_fingerprint(folder: Path) -> str | None:
    """Returns the hash of what was imported, or None if it is not known."""
    try:
        return checked_json(folder / IMPORTS).get("fingerprint")
    except (OSError, RawFileError):
        return None
