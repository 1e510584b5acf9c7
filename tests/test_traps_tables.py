"""The matrix, the misses and the summary of a full run of the gallery.

They are made from rows written by hand and from a small real run.
"""

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import run_module

from bench.cli import main
from bench.traps.tables import MEASURED, matrix, misses, summary, trap_trainings, write_traps
from bench.traps.trap import gallery

COMPARED = pd.DataFrame(
    [
        {
            "trap": "sum_for_mean",
            "implementation": "keras",
            "dataset": "small",
            "seed": 0,
            "stage": "loss",
            "cause": "sum_for_mean",
        },
        {
            "trap": "sum_for_mean",
            "implementation": "keras",
            "dataset": "large",
            "seed": 0,
            "stage": "same",
            "cause": "same",
        },
        {
            "trap": "zero_kernels",
            "implementation": "keras",
            "dataset": "small",
            "seed": 0,
            "stage": "initial weights",
            "cause": "unknown",
        },
    ]
)


def training(trap, right, causes="", state="trained", seed=0, slowed=0.01):
    return {
        "trap": trap,
        "sound": None if trap.startswith("sound:") else "sound:a",
        "implementation": "keras",
        "profile": "default",
        "dataset": "small",
        "seed": seed,
        "state": state,
        "causes": causes,
        "evidence": "it broke",
        "right": right,
        "slowed": slowed,
    }


ALONE = pd.DataFrame(
    [
        training("sound:a", 0.9),
        training("zero_kernels", 0.873),
        training("zero_kernels", 0.872, seed=1),
        training("sound:a", 0.9, seed=1),
        training("swapped_arguments", 0.9, "swapped_arguments dead_relus", "not trained"),
        training("swapped_arguments", None, state="error", seed=1, slowed=None),
    ]
)


@pytest.mark.fast
def test_the_matrix_counts_stage_and_cause_together_and_only_trainings_that_changed():
    table = matrix(COMPARED, trap_trainings(ALONE)).set_index("trap")
    assert table.loc["sum_for_mean", ["small", "large", "small alone"]].tolist() == [
        "1 of 1",
        "0 of 1",
        "-",
    ]
    assert table.loc["zero_kernels", ["small", "large", "small alone"]].tolist() == [
        "0 of 1",
        "-",
        "0 of 1",
    ]
    assert table.loc["swapped_arguments", ["small", "small alone"]].tolist() == ["-", "1 of 2"]


@pytest.mark.fast
def test_misses_have_what_was_named_a_row_each():
    rows = misses(COMPARED, trap_trainings(ALONE))
    assert rows[["mode", "trap", "seed", "named"]].to_numpy().tolist() == [
        ["with a reference", "sum_for_mean", 0, "same: same"],
        ["with a reference", "zero_kernels", 0, "initial weights: unknown"],
        ["alone", "zero_kernels", 1, "nothing"],
        ["alone", "swapped_arguments", 1, "it broke"],
    ]


@pytest.mark.fast
def test_the_summary_tells_stages_from_causes_and_counts_what_could_not_be_diagnosed():
    clean = pd.DataFrame(
        [
            training("none", 0.9),
            training("none", 0.5, "dead_relus"),
            training("none", None, state="error"),
        ]
    )
    compared, alone, sound, _, slowed = summary(COMPARED, ALONE, clean)
    assert "right stage 2 of 3, right stage and cause 1 of 3 (33.3%)" in compared
    assert "3 trainings changed" in alone
    assert "right cause 1 of 3" in alone
    assert sound == (
        "Sound ports: 3 trainings, a cause named for 1 (1 with dead_relus); "
        "1 could not be diagnosed."
    )
    assert "slowed 8 trainings by 1.0%" in slowed


@pytest.mark.slow
def test_a_small_full_run_keeps_the_rows_of_others(tmp_path):
    ran = run_module(
        "bench",
        "traps",
        "--full",
        "--only",
        "sum_for_mean",
        "--impl",
        "lowlevel",
        "--dataset",
        "small",
        "--seeds",
        "1",
        "--clean",
        "1",
        "--out",
        tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert "right stage and cause 1 of 1" in ran.stdout, ran.stderr
    assert "Sound ports: 2 trainings, a cause named for 0." in ran.stdout
    before = pd.read_csv(tmp_path / "compared.csv")
    ran = run_module(
        "bench",
        "traps",
        "--full",
        "--only",
        "zero_kernels",
        "--impl",
        "lowlevel",
        "--dataset",
        "small",
        "--seeds",
        "1",
        "--not-alone",
        "--out",
        tmp_path,
    )
    assert "right stage and cause 2 of 2" in ran.stdout, ran.stderr
    after = pd.read_csv(tmp_path / "compared.csv")
    assert after["trap"].tolist() == ["sum_for_mean", "zero_kernels"]
    assert (after.iloc[0].astype(str) == before.iloc[0].astype(str)).all()
    assert "| sum_for_mean " in (tmp_path / "traps.md").read_text()
    assert "zero_kernels" in (tmp_path / "traps.md").read_text()


@pytest.mark.fast
def test_the_rows_that_come_with_the_project_are_of_today_s_gallery(tmp_path):
    """Checks that the rows are of every trap in every API on every dataset, and of nothing else.

    The tables made from them again are the same.
    """
    wanted = {
        (trap.name, name, dataset)
        for trap in gallery().values()
        for name in trap.edits
        for dataset in trap.datasets
    }
    for file in ("compared.csv", "alone.csv"):
        rows = pd.read_csv(MEASURED / file)
        rows = rows[~rows["trap"].str.startswith("sound:")]
        assert set(map(tuple, rows[["trap", "implementation", "dataset"]].to_numpy())) == wanted
        assert not rows.duplicated(["trap", "implementation", "dataset", "seed"]).any()
    for file in MEASURED.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_traps(tmp_path)
    assert (tmp_path / "traps.md").read_text() == (MEASURED / "traps.md").read_text()


@pytest.mark.fast
@pytest.mark.parametrize("option", [[], ["--json"], ["--only", "zero_kernels"]])
def test_what_a_trap_does_to_accuracy_is_shown(option):
    shown = CliRunner().invoke(main, ["traps", *option], catch_exceptions=False).output
    assert "0.50 [" in shown or '"without": ' in shown
