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
    for the reason in `error`."""

    implementation: str
    reference: str
    dataset: str
    parity: Parity | None
    error: str = ""

    @property
    def differs(self) -> bool:
        return self.parity is not None and not self.parity.same


def write_comparison(folder: Path, compared: Compared) -> None:
    """Stores a comparison among the raw files of a run."""
    parity = json.loads(compared.parity.to_json()) if compared.parity else None
    text = json.dumps({"implementation": compared.implementation, "reference": compared.reference,
                       "dataset": compared.dataset, "parity": parity, "error": compared.error}, indent=1)
    slug = "".join(letter if letter.isalnum() else "_" for letter in f"{compared.implementation}-{compared.reference}")
    raw.write_text(folder / "parity" / f"{compared.dataset}-{slug}.json", text)


def read_comparisons(folder: Path) -> list[Compared]:
    """The comparisons that a run left."""
    found = []
    for path in sorted((folder / "parity").glob("*.json"), key=lambda path: (not path.name.startswith("small"), path.name)):
        values = json.loads(path.read_text())
        parity = from_json(json.dumps(values.pop("parity"))) if values["parity"] else values.pop("parity")
        found.append(Compared(parity=parity, **values))
    return found
