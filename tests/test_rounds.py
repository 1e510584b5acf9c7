"""Rounds with real processes: how many there are, their files, and trainings that fail."""

import json
import os

import pytest

from bench.measure.throughput import Throughput
from bench.process.forkserver import with_forkserver
from bench.results.rounds import read_dataset_rounds
from bench.run.limits import Limits
from bench.run.rounds import Plan, measure_rounds
from bench.run.variants import Variant

LOWLEVEL = Variant("lowlevel", "impl_lowlevel", "default")
FLOOR = Variant("floor", "impl_lowlevel.floor", "floor")


def three_rounds(turns):
    return turns.frame()["round"].max() >= 3


@pytest.fixture(scope="module", autouse=True)
def forkserver(tmp_path_factory):
    """Starts a forkserver whose children find the modules of this test by PYTHONPATH."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "ends_early.py").write_text(
        "def train(task, observer):\n    observer.begin()\n"
        "    for _ in range(5):\n        observer.step(0.5)\n"
    )
    (folder / "raises_later.py").write_text(
        "import time\n\ndef train(task, observer):\n    observer.begin()\n"
        "    began = time.monotonic()\n    while True:\n"
        "        time.sleep(0.01)\n        observer.step(0.5)\n"
        "        # After the warm-up of 0.3 s, before the turns are over.\n"
        "        if time.monotonic() > began + 0.5:\n"
        "            raise ValueError('no more')\n"
    )
    (folder / "never_begins.py").write_text(
        "import time\n\ndef train(task, observer):\n    time.sleep(1000)\n"
    )
    (folder / "eats.py").write_text(
        "import time\nfrom pathlib import Path\n\ndef train(task, observer):\n"
        "    eaten = []\n    while True:\n        eaten.append(b'x' * 2**22)\n"
        "        Path(__file__).with_name('eaten').write_text(str(len(eaten) * 4))\n"
        "        time.sleep(0.02)\n"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder)
    import sys

    sys.path.insert(0, str(folder))
    with with_forkserver():
        yield folder
    sys.path.remove(str(folder))
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def measure(folder, dataset, variants, plan):
    told = []
    records = measure_rounds(
        variants, dataset, plan, folder, lambda what, share: told.append(share)
    )
    assert told == sorted(told)
    assert told[0] >= 0
    assert told[-1] <= 1
    return records, read_dataset_rounds(folder, dataset.name).calls


@pytest.mark.parametrize(("budget_s", "rounds"), [(1e9, 3), (0.0, 2)])
def test_rounds_go_on_until_they_are_precise_or_the_budget_is_spent(
    tmp_path, tiny_dataset, budget_s, rounds
):
    records, calls = measure(
        tmp_path, tiny_dataset, [LOWLEVEL], Plan(2, 0.05, budget_s, three_rounds)
    )
    assert calls.loc[calls["mode"] == "steady", "round"].max() == rounds
    assert records[0].status == "ok"


@pytest.mark.slow
def test_who_takes_too_much_memory_is_ended_while_another_is_waited_for(
    tmp_path, tiny_dataset, forkserver
):
    variants = [Variant("never", "never_begins", "default"), Variant("eats", "eats", "default")]
    records = measure_rounds(
        variants,
        tiny_dataset,
        Plan(1, 0.05),
        tmp_path,
        lambda what, share: None,
        limits=Limits(8.0, 700 * 2**20),
    )
    assert [record.status for record in records] == ["timeout", "out_of_memory"]
    # In MiB; in the 8 s until the other one ends it would have been more than twice as much.
    assert int((forkserver / "eaten").read_text()) < 700


@pytest.mark.slow
def test_a_training_that_fails_has_its_reason_and_the_others_go_on(tmp_path, tiny_dataset):
    variants = [
        LOWLEVEL,
        Variant("early", "ends_early", "default"),
        Variant("later", "raises_later", "default"),
        FLOOR,
    ]
    records, calls = measure(tmp_path, tiny_dataset, variants, Plan(2, 0.05))
    by_name = {record.name: record for record in records}
    assert {name: record.status for name, record in by_name.items()} == {
        "lowlevel-default": "ok",
        "early-default": "failed",
        "later-default": "failed",
        "floor-floor": "ok",
    }
    assert "does it use passes_per_epoch?" in by_name["early-default"].reason
    assert by_name["later-default"].reason == "ValueError: no more"
    assert by_name["lowlevel-default"].environment["peak_rss_mib"] > 100
    assert set(Throughput(calls).variants) >= {"lowlevel-default", "floor-floor"}
    assert (
        tmp_path / "traces" / f"floor-floor-{tiny_dataset.name}-1.xplane.pb"
    ).stat().st_size > 1000
    assert json.loads((tmp_path / "rounds" / f"{tiny_dataset.name}-variants.json").read_text())[
        "sha256"
    ]


def test_turns_do_not_overlap_and_every_round_has_each_variant_once(tmp_path, tiny_dataset):
    _, calls = measure(tmp_path, tiny_dataset, [LOWLEVEL, FLOOR], Plan(2, 0.05))
    steady = calls[calls["mode"] == "steady"]
    spans = (
        steady.groupby(["round", "variant"])
        .agg({"began_s": "min", "ended_s": "max"})
        .sort_values("began_s")
    )
    assert len(spans) == 4
    assert (spans["began_s"].to_numpy()[1:] >= spans["ended_s"].to_numpy()[:-1]).all()
    turns = read_dataset_rounds(tmp_path, tiny_dataset.name).turns
    places = turns[turns["mode"] == "steady"].pivot(
        index="round", columns="place", values="variant"
    )
    assert places.loc[1].tolist() == places.loc[2].tolist()[::-1]
