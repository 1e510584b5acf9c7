"""A real sweep at small sizes, and what is decided without a measurement."""

import json

import pandas as pd
import pytest
from conftest import run_module
from rich.console import Console
from timings import write_timings

from bench.durable import write_text
from bench.report.sweep import write_sweep
from bench.results.layout import FORMAT
from bench.run.sweep import SweepSize, run_sweep, sizes_of
from bench.run.variants import trained_variants


@pytest.mark.slow
def test_a_sweep_measures_every_size_and_shows_it(tmp_path):
    process = run_module(
        "bench",
        "sweep",
        "--batch",
        "8,64",
        "--length",
        "390",
        "--impl",
        "lowlevel",
        "--profile",
        "default",
        "--out",
        tmp_path,
    )
    assert process.returncode == 0, process.stderr
    frame = pd.read_csv(tmp_path / "sweep.csv")
    assert frame["dataset"].tolist() == ["8x130", "64x130", "32x390"]
    assert (frame["samples_per_second"] > 0).all()
    assert frame["samples_per_second"].iloc[1] > frame["samples_per_second"].iloc[0]
    assert "fixed ms a step" in process.stdout
    assert "values a batch on." in process.stdout
    assert "lowlevel default" in (tmp_path / "sweep.html").read_text()
    assert (tmp_path / "sweep.md").exists()


def test_each_size_comes_once_from_small_to_large():
    sizes = sizes_of((8, 32), (130, 1300), 32, 130)
    assert [(size.batch_size, size.length) for size in sizes] == [(8, 130), (32, 130), (32, 1300)]


def test_a_size_that_would_not_fit_is_skipped_with_its_estimate(tmp_path):
    size = SweepSize(32, 600_000)
    variants = trained_variants({"lowlevel": "impl_lowlevel"}, ["default"])
    needed = size.estimated_mib(1)
    skipped = run_sweep([], variants, tmp_path, Console(quiet=True), lambda: 0.0)
    assert skipped == []
    skipped = run_sweep([size], variants, tmp_path, Console(quiet=True), lambda: needed - 1)
    assert len(skipped) == 1
    assert f"about {needed / 1024:.1f} GiB" in skipped[0]
    assert write_sweep(tmp_path).texts == [*skipped, "Nothing was measured."]


def test_laws_are_fitted_to_the_rounds(tmp_path):
    for batch_size in (8, 32, 128):
        step_s = 0.5e-3 + 20e-9 * batch_size * 130
        write_timings(
            tmp_path,
            {"lowlevel-default": [batch_size / step_s] * 8},
            f"{batch_size}x130",
            clocks=True,
        )
    write_text(tmp_path / "sweep.json", json.dumps({"format": FORMAT, "skipped": []}))
    report = write_sweep(tmp_path)
    assert report.laws["fixed ms a step"].tolist() == ["0.500 [0.500, 0.500]"]
    assert report.laws["ns a value"].tolist() == ["20.00 [20.00, 20.00]"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "nothing to sweep"),
        (("--batch", "8,x"), "no list of whole numbers"),
        (("--batch", "0"), "no list of whole numbers"),
        (("--batch", "8", "--impl", "no.such"), "unknown implementation"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, reason):
    process = run_module("bench", "sweep", *arguments, "--out", tmp_path / "out")
    assert process.returncode == 2
    assert reason in process.stderr
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
