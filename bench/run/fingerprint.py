"""Fingerprints: hashes of all that decides the result of a measurement. A measurement is kept as
long as its fingerprint is the same."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from importlib import metadata
from pathlib import Path

import bench.task
from bench.results.layout import FORMAT
from bench.run.cells import Cell
from bench.run.rounds import Plan
from bench.run.variants import Variant
from bench.run.worker import task_of
from bench.task import Dataset

SETTINGS = (
    "outputs",
    "seed",
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "adam_epsilon",
    "passes_per_epoch",
)
"""Fields of a `Task` that are part of a fingerprint."""


def cell_fingerprint(cell: Cell, dataset: Dataset, epochs: int) -> str:
    """Returns the fingerprint of a cell: data, code, settings."""
    task = task_of(cell, dataset, epochs, Path())
    return _digest(
        cell=cell.name,
        data=dataset.digest,
        code=code_digest(cell.module),
        settings={name: getattr(task, name) for name in SETTINGS},
    )


def rounds_fingerprint(
    variants: list[Variant], dataset: Dataset, plan: Plan, precision: float | None
) -> str:
    """Returns the fingerprint of the rounds of a dataset. `precision` is that of the plan, or
    None."""
    return _digest(
        variants=[[variant.name, code_digest(variant.module)] for variant in variants],
        data=dataset.digest,
        plan=[plan.rounds, plan.seconds, plan.budget_s, precision],
    )


def comparison_fingerprint(
    reference: str, candidate: str, dataset: Dataset, outputs: str, steps: int
) -> str:
    """Returns the fingerprint of a comparison of two modules."""
    return _digest(
        code=[code_digest(reference), code_digest(candidate)],
        data=dataset.digest,
        outputs=outputs,
        steps=steps,
    )


def imports_fingerprint(modules: dict[str, str]) -> str:
    """Returns the fingerprint of the timed imports."""
    return _digest(imports={name: code_digest(module) for name, module in modules.items()})


def code_digest(module: str) -> str:
    """Returns a hash of the Python files of a package, of the package that a module lies in, or of
    a module without a package.

    Code that they import from elsewhere does not count. Only the packages around a dotted name are
    imported.
    """
    package = module.rpartition(".")[0] or module
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"there is no module {package}")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [
        (path.relative_to(folder), path) for folder in folders for path in folder.rglob("*.py")
    ]
    if not folders:
        files = [(Path(package), Path(spec.origin))] if spec.has_location and spec.origin else []
    digest = hashlib.sha256(module.encode())
    for name, path in sorted(files):
        digest.update(f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _digest(**parts) -> str:
    """Adds what all fingerprints have in common: the standard network, TensorFlow, and the layout
    of the raw files."""
    network = hashlib.sha256(Path(bench.task.__file__).read_bytes()).hexdigest()
    whole = {
        **parts,
        "network": network,
        "tensorflow": metadata.version("tensorflow"),
        "format": FORMAT,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
