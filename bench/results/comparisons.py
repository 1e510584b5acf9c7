"""Comparisons of ports, stage by stage: parity/NAME.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from bench.durable import write_text
from bench.parity.result import VERDICTS, Parity
from bench.results.files import RawFileError, check_inside, left_out, read_json
from bench.results.typed import as_fields, as_record


@dataclass(frozen=True)
class StoredComparison:
    """The comparison of `implementation` with `reference` on `dataset`.

    `parity` is None if they could not be compared, and `error` then says why. `fingerprint` is the
    hash of what was compared.
    """

    implementation: str
    reference: str
    dataset: str
    parity: Parity | None
    error: str = ""
    fingerprint: str = ""

    @property
    def differs(self) -> bool:
        """Whether the comparison found a difference."""
        return self.parity is not None and not self.parity.same


def write_comparison(folder: Path, compared: StoredComparison) -> None:
    """Stores a comparison in a result folder.

    Raises:
        RawFileError: a symbolic link in its place leads out of the folder.
    """
    parity = json.loads(compared.parity.to_json()) if compared.parity else None
    text = json.dumps(
        {
            "implementation": compared.implementation,
            "reference": compared.reference,
            "dataset": compared.dataset,
            "parity": parity,
            "error": compared.error,
            "fingerprint": compared.fingerprint,
        },
        indent=1,
    )
    path = comparison_path(folder, compared)
    check_inside(path)
    write_text(path, text)


def comparison_path(folder: Path, compared: StoredComparison) -> Path:
    """Returns the file that a comparison is stored in."""
    slug = "".join(
        letter if letter.isalnum() else "_"
        for letter in f"{compared.implementation}-{compared.reference}"
    )
    return folder / "parity" / f"{compared.dataset}-{slug}.json"


def read_comparisons(folder: Path, problems: list[str]) -> list[StoredComparison]:
    """Returns the comparisons of a folder, those on small first.

    `problems` receives a line for each that is left out.
    """
    found = []
    for path in sorted(
        (folder / "parity").glob("*.json"),
        key=lambda path: (not path.name.startswith("small"), path.name),
    ):
        try:
            found.append(_read_comparison(path))
        except RawFileError as error:
            problems.append(left_out("a comparison", error))
    return found


def _read_comparison(path: Path) -> StoredComparison:
    values = as_fields(
        {
            "implementation": "str",
            "reference": "str",
            "dataset": "str",
            "parity": "dict | None",
            "error": "str",
            "fingerprint": "str",
        },
        read_json(path),
        path,
    )
    if values["parity"]:
        names = [entry.name for entry in fields(Parity)]
        values["parity"] = {
            name: value for name, value in values["parity"].items() if name in names
        }  # without what is derived
    compared = as_record(StoredComparison, values, path)
    if compared.parity and not {stage.verdict for stage in compared.parity.stages} <= set(VERDICTS):
        raise RawFileError(path, "has an unknown verdict")
    return compared
