"""Fingerprints: an earlier cell is kept only if all that decides its result is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_report import write_measured

from bench.durable import write_text
from bench.results.cells import STATUSES, read_cell, write_cell
from bench.results.comparisons import StoredComparison, write_comparison
from bench.results.imports import write_imports
from bench.results.rounds import Turns, VariantRecord, write_rounds
from bench.run.cells import Cell
from bench.run.fingerprint import (
    cell_fingerprint,
    code_digest,
    comparison_fingerprint,
    imports_fingerprint,
    rounds_fingerprint,
)
from bench.run.resume import Fingerprints, KeptResults, find_kept, remove_others
from bench.run.rounds import Plan
from bench.run.variants import Variant
from bench.task import Batch, Dataset, Split

pytestmark = pytest.mark.fast

DATASET = Dataset(
    "small",
    130,
    2,
    "int16",
    "d",
    Split(["train"], 10),
    Split(["evaluation"], 10),
    np.zeros(10),
    Batch(np.zeros((1, 130)), np.zeros(1)),
)
CELL = Cell("lowlevel", "impl_lowlevel", "default", "small", "logits", 0)
VARIANTS = [
    Variant("lowlevel", "impl_lowlevel", "default"),
    Variant("lowlevel", "impl_lowlevel", "again"),
]


def test_the_same_has_the_same_recipe_of_16_digits():
    assert cell_fingerprint(CELL, DATASET, 3) == cell_fingerprint(CELL, DATASET, 3)
    assert len(cell_fingerprint(CELL, DATASET, 3)) == 16


@pytest.mark.parametrize(
    ("cell", "dataset", "epochs"),
    [
        (replace(CELL, seed=1), DATASET, 3),
        (replace(CELL, outputs="activated"), DATASET, 3),
        (replace(CELL, profile="tuned"), DATASET, 3),
        (replace(CELL, module="impl_keras"), DATASET, 3),
        (CELL, replace(DATASET, digest="e"), 3),
        (CELL, DATASET, 4),
    ],
)
def test_whatever_decides_a_result_changes_the_recipe(cell, dataset, epochs):
    assert cell_fingerprint(cell, dataset, epochs) != cell_fingerprint(CELL, DATASET, 3)


@pytest.mark.parametrize(
    ("package", "version"),
    [("bench.run.fingerprint.metadata.version", "2.16"), ("bench.run.fingerprint.FORMAT", 99)],
)
def test_so_do_tensorflow_and_the_layout_of_the_files(monkeypatch, package, version):
    before = cell_fingerprint(CELL, DATASET, 3)
    monkeypatch.setattr(package, (lambda name: version) if package.endswith("version") else version)
    assert cell_fingerprint(CELL, DATASET, 3) != before


def test_rounds_comparisons_and_imports_have_recipes_too():
    rounds = rounds_fingerprint(VARIANTS, DATASET, Plan(2, 0.1), None)
    assert rounds not in {
        rounds_fingerprint(VARIANTS[:1], DATASET, Plan(2, 0.1), None),
        rounds_fingerprint(VARIANTS, DATASET, Plan(3, 0.1), None),
        rounds_fingerprint(VARIANTS, DATASET, Plan(2, 0.1), 0.02),
    }
    assert comparison_fingerprint(
        "impl_lowlevel", "impl_keras", DATASET, "logits", 5
    ) != comparison_fingerprint("impl_keras", "impl_lowlevel", DATASET, "logits", 5)
    assert imports_fingerprint({"keras": "impl_keras"}) != imports_fingerprint(
        {"estimator": "impl_estimator"}
    )


def test_code_is_that_of_the_package_a_module_lies_in_or_of_its_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ported" / "deep").mkdir(parents=True)
    for name in (
        "ported/__init__.py",
        "ported/port.py",
        "ported/deep/helper.py",
        "single.py",
        "other.py",
    ):
        (tmp_path / name).write_text(
            "raise SystemExit  # never run\n" if name != "ported/__init__.py" else ""
        )
    before = {name: code_digest(name) for name in ("ported", "ported.port", "single")}
    (tmp_path / "other.py").write_text("changed = True\n")
    (tmp_path / "ported" / "notes.txt").write_text("no code")
    assert {name: code_digest(name) for name in before} == before
    (tmp_path / "ported" / "deep" / "helper.py").write_text("changed = True\n")
    (tmp_path / "single.py").write_text("changed = True\n")
    assert not {code_digest(name) for name in before} & set(before.values())


THREADS = {"intra_op_threads": 2, "inter_op_threads": 2, "peak_rss_mib": 300.0}
NAMES = {status: f"lowlevel-default-small-logits-{seed}" for seed, status in enumerate(STATUSES)}
RECIPES = Fingerprints(
    dict.fromkeys(NAMES.values(), "same"),
    {"small": "same", "large": "same"},
    {("keras", "small"): "same"},
    "same",
)


def write_run(folder, fingerprint="same"):
    for seed, status in enumerate(STATUSES):
        write_measured(folder, "lowlevel", "small", "logits", seed)
        record = read_cell(folder, NAMES[status])
        record.status, record.fingerprint = status, fingerprint
        write_cell(folder, record)
    for dataset, status in (("small", "ok"), ("large", "failed")):
        write_rounds(
            folder,
            Turns(dataset),
            [
                VariantRecord(
                    "lowlevel-default",
                    "lowlevel",
                    "impl_lowlevel",
                    "default",
                    dataset,
                    130,
                    status,
                    environment=THREADS,
                )
            ],
            fingerprint,
        )
    write_imports(folder, [], fingerprint)
    write_comparison(
        folder, StoredComparison("keras", "lowlevel", "small", None, "could not", fingerprint)
    )


def test_what_ended_by_itself_with_the_same_recipe_is_kept_and_all_else_removed(tmp_path):
    write_run(tmp_path)
    for name in ("cells/stranger.json", "logs/stranger.log", "results.csv", ".lock"):
        write_text(tmp_path / name, "x")
    kept = find_kept(tmp_path, RECIPES)
    assert kept.cells.keys() == {NAMES["ok"], NAMES["diverged"]}
    assert kept.rounds.keys() == {"small"}
    assert kept.imports
    assert not kept.comparisons  # It could not be made.
    remove_others(tmp_path, kept)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        ".lock",
        "imports.json",
        *(f"small-{kind}" for kind in ("calls.csv", "kernels.csv", "turns.csv", "variants.json")),
        *(
            f"{NAMES[status]}.{ending}"
            for status in ("ok", "diverged")
            for ending in ("json", "csv")
        ),
    }


def test_another_recipe_is_not_kept(tmp_path):
    write_run(tmp_path, fingerprint="other")
    assert find_kept(tmp_path, RECIPES) == KeptResults()


@pytest.mark.parametrize("file", ["cells/{}.json", "steps/{}.csv", "outputs/{}.csv"])
def test_a_cell_with_a_file_that_is_missing_or_cut_short_is_not_kept(tmp_path, file):
    write_run(tmp_path)
    path = tmp_path / file.format(NAMES["ok"])
    path.write_bytes(path.read_bytes()[:-5])
    assert find_kept(tmp_path, RECIPES).cells.keys() == {NAMES["diverged"]}
    path.unlink()
    assert find_kept(tmp_path, RECIPES).cells.keys() == {NAMES["diverged"]}
