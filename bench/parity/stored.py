"""Comparisons among the raw files of a result folder: parity/NAME.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.measure import raw
from bench.parity.result import Parity, from_json


@dataclass(frozen=True)
class Compared:
    """A comparison of a run: `implementation` against `reference` on `dataset`; `parity` is None if it could not be made,
    for the reason in `error`; `recipe` is the hash of what was compared."""

    implementation: str
    reference: str
    dataset: str
    parity: Parity | None
    error: str = ""
    recipe: str = ""

    @property
    def differs(self) -> bool:
        return self.parity is not None and not self.parity.same


def write_comparison(folder: Path, compared: Compared) -> None:
    """Stores a comparison among the raw files of a run."""
    parity = json.loads(compared.parity.to_json()) if compared.parity else None
    text = json.dumps({"implementation": compared.implementation, "reference": compared.reference,
                       "dataset": compared.dataset, "parity": parity, "error": compared.error, "recipe": compared.recipe},
                      indent=1)
    raw.write_text(comparison_path(folder, compared), text)


def comparison_path(folder: Path, compared: Compared) -> Path:
    """Where a comparison is stored."""
    slug = "".join(letter if letter.isalnum() else "_" for letter in f"{compared.implementation}-{compared.reference}")
    return folder / "parity" / f"{compared.dataset}-{slug}.json"


def read_comparisons(folder: Path) -> list[Compared]:
    """The comparisons that a run left."""
    found = []
    for path in sorted((folder / "parity").glob("*.json"), key=lambda path: (not path.name.startswith("small"), path.name)):
        values = json.loads(path.read_text())
        parity = from_json(json.dumps(values.pop("parity"))) if values["parity"] else values.pop("parity")
        found.append(Compared(parity=parity, **values))
    return found
