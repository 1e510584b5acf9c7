"""Text from strangers' files is shown as text, and no path leads out of the folder.

A real browser, Markdown and the terminal show it.
"""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from conftest import run_module
from hostile import IMAGE, SCRIPT, mend_digests
from test_fuzz_results import replayed
from test_report import ENVIRONMENT, FROZEN, RATES, parity, write_measured
from timings import write_timings

from bench.durable import write_text
from bench.errors import printable
from bench.parity.result import Difference, Explanation, Parity
from bench.report.compare import compare_runs
from bench.report.replay import write_replay
from bench.report.sweep import write_sweep
from bench.report.theme import escaped
from bench.report.write import write_report
from bench.results.cells import CellRecord, read_cell, write_cell
from bench.results.comparisons import StoredComparison, read_comparisons, write_comparison
from bench.results.digests import digests
from bench.results.files import MOST_JSON, RawFileError, read_json, read_table
from bench.results.layout import DERIVED, FORMAT
from bench.results.rounds import read_dataset_rounds, read_rounds, read_variants
from bench.results.typed import as_fields, as_record
from bench.text_tables import as_markdown, as_text

TAG = "<img src=x onerror=alert(1)>"
"""A harmful text that can be the name of a file."""

TEMPLATE = "%{x} {{7*7}} $x$ &lt;b>"
ESCAPE = "\x1b[31mred\x1b[0m\x07"


def hostile_run(folder):
    """Writes a run in which every text does harm wherever it is not shown as text."""
    environment = {
        **ENVIRONMENT,
        "cpu": f"{SCRIPT} {ESCAPE}",
        SCRIPT: [IMAGE],
        "settings": {TAG: {"digest": "d", "epochs": 2}},
        "packages": {"tensorflow": f"2.15 {SCRIPT}"},
    }
    write_text(folder / "environment.json", json.dumps(environment))
    write_measured(folder, TAG, TAG)
    write_measured(folder, TEMPLATE, TAG)
    write_cell(
        folder,
        CellRecord(
            "failed",
            SCRIPT,
            IMAGE,
            "</script>",
            "a|b",
            0,
            reason=f"{IMAGE} | no\n{ESCAPE}[bold]x[/y]",
            log=f"logs/{SCRIPT}",
        ),
    )
    write_timings(
        folder,
        {
            f"{name}-{profile}": RATES["keras-default"]
            for name in (TAG, TEMPLATE)
            for profile in ("default", "tuned", "again")
        },
        TAG,
        clocks=True,
    )
    stages = parity("different", Difference(SCRIPT, IMAGE, TAG, 1.0, 1.0)).stages
    explained = [
        Explanation(
            "c", SCRIPT, SCRIPT, IMAGE, f"[a](javascript:alert(1)) {SCRIPT}", [f"x.py:1: {SCRIPT}"]
        )
    ]
    write_comparison(
        folder,
        StoredComparison(
            TEMPLATE, TAG, TAG, Parity(SCRIPT, IMAGE, SCRIPT, stages, 1.0, 1.0, explained)
        ),
    )
    for path in folder.glob("rounds/*kernels.csv"):
        path.write_text(path.read_text().replace("Relu", SCRIPT))
    path = folder / "rounds" / f"{TAG}-variants.json"
    record = json.loads(path.read_text())
    record["sha256"] = digests(folder, record["sha256"])
    path.write_text(json.dumps(record))
    return folder


def opened(browser, path):
    """Opens a page, waits until its plots are drawn, and shows all that is hidden.

    Checks that nothing in it opened a dialog, asked for an address or raised an error.
    """
    page, alarms = (
        browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page(),
        [],
    )
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: alarms.append(str(error)))
    page.on(
        "request",
        lambda request: (
            alarms.append(request.url)
            if request.url != f"file://{path}" and "data:" not in request.url
            else 0
        ),
    )
    page.goto(f"file://{path}", wait_until="load")
    page.wait_for_function("document.querySelectorAll('.plotly-graph-div .main-svg').length > 0")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    plots = page.locator(".plotly-graph-div .nsewdrag")
    for place in range(min(3, plots.count())):  # Show the hover texts.
        plots.nth(place).hover()
        page.wait_for_timeout(150)
    assert page.locator("img").count() == 0
    assert page.locator("td script, li script, p script, h3 script").count() == 0
    assert alarms == [], alarms
    return page


def plotted(page) -> str:
    return " ".join(
        page.evaluate("[...document.querySelectorAll('svg text')].map(text => text.textContent)")
    )


def test_scripts_in_names_and_reasons_are_text_in_the_report(tmp_path, browser):
    write_report(hostile_run(tmp_path))
    page = opened(browser, tmp_path / "report.html")
    shown, names = page.inner_text("body"), plotted(page)
    for text in (
        SCRIPT,
        IMAGE,
        TAG,
        TEMPLATE,
        "</script>",
        "[bold]x[/y]",
        "[a](javascript:alert(1))",
    ):
        assert text in shown, text
    assert TAG in names
    assert TEMPLATE in names
    assert "\x1b" not in page.content()
    assert page.evaluate("document.title") == "One network, three TensorFlow APIs"
    hover = page.evaluate(
        """async name => {
        const plot = document.querySelector('.curves .plotly-graph-div')
        const curve = plot.data.findIndex(one => one.name.startsWith(name))
        Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: 0}])
        await new Promise(done => setTimeout(done, 300))
        return plot.querySelector('.hoverlayer').textContent}""",
        escaped(TEMPLATE),
    )
    assert hover.startswith(f"{TEMPLATE} (not the same network), activated, seed 0, {TEMPLATE}")
    assert "epoch 1: 0.81" in hover


@pytest.mark.slow
def test_scripts_are_text_on_the_pages_of_a_sweep_and_of_the_seed(tmp_path, browser):
    for size in ("8x130", "32x130", "128x130"):
        write_timings(
            tmp_path,
            {f"{TAG}-default": RATES["keras-default"], f"{TEMPLATE}-default": RATES["keras-tuned"]},
            size,
            clocks=True,
        )
    write_text(tmp_path / "sweep.json", json.dumps({"format": FORMAT, "skipped": [SCRIPT]}))
    report = write_sweep(tmp_path)
    names = plotted(opened(browser, tmp_path / "sweep.html"))
    assert TAG in names
    assert TEMPLATE in names
    assert SCRIPT in report.texts
    text = (
        json.dumps(replayed())
        .replace("keras", json.dumps(TAG)[1:-1])
        .replace("a title", SCRIPT)
        .replace("synthetic", SCRIPT)
    )
    (tmp_path / "replay.json").write_text(text)
    assert SCRIPT in write_replay(tmp_path)
    page = opened(browser, tmp_path / "replay.html")
    assert SCRIPT in page.inner_text("body")
    assert TAG in plotted(page)


def test_a_reason_breaks_no_table_and_is_no_markup_in_markdown(tmp_path):
    write_report(hostile_run(tmp_path))
    text = (tmp_path / "results.md").read_text()
    assert "<img" not in text
    assert "<script" not in text
    assert "](javascript" not in text
    assert "\x1b" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
    assert as_markdown("a|b <i> [x](y)") == "a\\|b &lt;i> [x]\\(y)"
    assert as_text(pd.DataFrame({"a|b": ["c|d"]}), "github").count("\\|") == 2


def test_no_escape_sequence_reaches_the_terminal(tmp_path):
    process = run_module("bench", "report", hostile_run(tmp_path))
    assert process.returncode == 0, process.stderr
    assert "[bold]x[/y]" in process.stdout
    assert "|" in process.stdout
    assert all(line.isprintable() for line in process.stdout.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 字", "plain ü 字"),
        ("\x1b[31m", "\ufffd[31m"),
        ("a\nb\tc", "a b c"),
        ("\u202eevil", "\ufffdevil"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_a_terminal_obeys_is_replaced(text, shown):
    assert printable(text) == shown


def test_nothing_is_read_through_a_link_that_leads_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    for place in (folder, outside):
        write_measured(place, "lowlevel")
        write_text(place / "environment.json", json.dumps(ENVIRONMENT))
    name = "lowlevel-default-large-activated-0"
    steps = folder / "steps" / f"{name}.csv"
    steps.unlink()
    steps.symlink_to(outside / "steps" / f"{name}.csv")
    with pytest.raises(RawFileError, match="leads out of its folder"):
        read_cell(folder, name)
    steps.unlink()
    (folder / "steps").rmdir()
    (folder / "steps").symlink_to(outside / "steps")
    with pytest.raises(RawFileError, match="leads out of its folder"):
        read_cell(folder, name)
    (folder / "steps").unlink()
    (outside / "steps").rename(folder / "steps")
    (folder / "linked").symlink_to(folder / "steps" / f"{name}.csv")
    assert read_cell(folder, name).status == "ok"
    assert read_table(folder / "linked", {"epoch": "int64"})["epoch"].max() == 2


def test_a_link_to_a_file_that_is_not_there_is_named(tmp_path):
    write_measured(tmp_path, "lowlevel")
    (cell,) = (tmp_path / "cells").glob("*.json")
    cell.unlink()
    cell.symlink_to(tmp_path / "gone.json")
    with pytest.raises(RawFileError, match="is a link to a file that is not there"):
        read_cell(tmp_path, cell.stem)


def test_nothing_is_written_through_a_link_that_leads_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()
    write_measured(folder, "lowlevel")
    write_text(folder / "environment.json", json.dumps(ENVIRONMENT))
    for name in DERIVED:
        (outside / name).write_text("canary")
        (folder / name).symlink_to(outside / name)
    (folder / "parity").symlink_to(outside)
    write_report(folder)
    with pytest.raises(RawFileError, match="leads out of its folder"):
        write_comparison(folder, StoredComparison("keras", "lowlevel", "given", parity("bit")))
    assert sorted(path.name for path in outside.iterdir()) == sorted(DERIVED)
    assert {path.read_text() for path in outside.iterdir()} == {"canary"}


@pytest.mark.parametrize(
    ("spare", "outcome"), [(0, "is damaged"), (1, "is larger than the 16 MiB")]
)
def test_a_file_is_read_up_to_its_bound(tmp_path, spare, outcome):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(MOST_JSON + spare)
    with pytest.raises(RawFileError, match=outcome):
        read_json(tmp_path / "large.json")


@pytest.mark.parametrize(
    ("make", "outcome"), [(os.mkfifo, "is no plain file"), (os.mkdir, "is no plain file")]
)
def test_what_is_no_file_is_not_waited_for(tmp_path, make, outcome):
    make(tmp_path / "x.json")
    with pytest.raises(RawFileError, match=outcome):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(("depth", "good"), [(20, True), (21, False), (100_000, False)])
def test_json_is_read_to_a_depth(tmp_path, depth, good):
    (tmp_path / "x.json").write_text("[" * depth + "]" * depth)
    if good:
        read_json(tmp_path / "x.json")
    else:
        with pytest.raises(RawFileError, match=r"nested more than 20|no whole JSON"):
            read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "0"),
        ("seed", 0.5),
        ("seed", True),
        ("seed", 10**20),
        ("reason", None),
        ("reason", []),
        ("evaluations", [[]]),
        ("evaluations", [{"epoch": 1}]),
        ("checkpoints", ["a"]),
        ("peak_rss_mib", "much"),
        ("sha256", {"steps/x.csv": 1}),
        ("log", "/etc/passwd"),
        ("log", "../x"),
        ("implementation", "../../x"),
        ("epochs", 3),
        ("parameters", None),
        ("unknown", 1),
    ],
)
def test_a_record_of_other_types_or_places_is_named(tmp_path, field, value):
    write_measured(tmp_path, "lowlevel")
    path = tmp_path / "cells" / "lowlevel-default-large-activated-0.json"
    assert read_cell(tmp_path, path.stem).peak_rss_mib == 500
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(RawFileError, match=r"cells/lowlevel-default-large-activated-0\.json"):
        read_cell(tmp_path, path.stem)


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("steps", ",32,", ",0,"),
        ("steps", "steady", ""),
        ("steps", "11.0,12.0", "12.0,11.0"),
        ("steps", "11.0,12.0", "11.0,inf"),
        ("steps", "began_s", "begun"),
        ("steps", "1,0.5", "1,half"),
        ("outputs", "output_1", "output_2"),
        ("outputs", "probe,1", "probe,7"),
        ("outputs", "evaluation,2,0,0", "evaluation,2,0,2"),
        ("outputs", "evaluation,2,0,0", "evaluation,2,0,-1"),
        ("outputs", "evaluation", "probe"),
        ("outputs", "evaluation,2,0,0", f"evaluation,{2**64},0,0"),
    ],
)
def test_a_table_without_what_reports_need_is_named_though_its_digest_fits(
    tmp_path, table, old, new
):
    write_measured(tmp_path, "lowlevel", outputs=FROZEN)
    name = "lowlevel-default-large-activated-0"
    path = tmp_path / table / f"{name}.csv"
    record = read_cell(tmp_path, name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    write_cell(tmp_path, record)
    with pytest.raises(RawFileError, match=name):
        read_cell(tmp_path, name)


def test_losses_and_outputs_that_are_not_finite_are_a_measurement(tmp_path):
    write_measured(
        tmp_path,
        "lowlevel",
        outputs=np.full((20, 2), np.nan, np.float32),
        final_loss=float("nan"),
        gradient=float("nan"),
    )
    assert read_cell(tmp_path, "lowlevel-default-large-activated-0").status == "ok"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../x"),
        ("dataset", "large"),
        ("log", "/x"),
        ("environment", {"dataset": "x"}),
        ("environment", {"intra_op_threads": [], "inter_op_threads": 1, "peak_rss_mib": 1}),
    ],
)
def test_a_variant_of_other_types_or_places_is_named(tmp_path, field, value):
    write_timings(tmp_path, RATES)
    path = tmp_path / "rounds" / "small-variants.json"
    assert len(read_variants(tmp_path, "small")) == 6
    content = json.loads(path.read_text())
    content["variants"][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(RawFileError, match=r"rounds/small-variants\.json"):
        read_variants(tmp_path, "small")


@pytest.mark.parametrize(("rounds", "good"), [(10, True), (11, False)])
def test_rounds_are_read_up_to_a_number(tmp_path, rounds, good, monkeypatch):
    monkeypatch.setattr("bench.results.rounds.MOST_TURNS", 60)
    write_timings(tmp_path, {name: [100.0] * rounds for name in RATES})
    if good:
        assert read_dataset_rounds(tmp_path, "small").calls["round"].max() == rounds
    else:
        with pytest.raises(RawFileError, match="more than 60 rounds times variants"):
            read_dataset_rounds(tmp_path, "small")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("calls", "steady", ""),
        ("calls", "runtime_s", "runtime"),
        ("calls", "recorded", "taken"),
        ("calls", ",0.0,0.5", ",0.5,0.0"),
        ("turns", "own_cpu_s", "own"),
        ("kernels", "Conv2D,CPU,4", "Conv2D,CPU,four"),
    ],
)
def test_a_table_of_rounds_without_what_reports_need_is_named_though_its_digest_fits(
    tmp_path, kind, old, new
):
    write_timings(tmp_path, RATES, clocks=True)
    path = tmp_path / "rounds" / f"small-{kind}.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    mend_digests(tmp_path)
    problems = []
    assert read_rounds(tmp_path, problems) == []
    assert len(problems) == 1
    assert f"Left out the throughput of small: rounds/small-{kind}.csv" in problems[0]


def test_two_cells_of_unequal_length_are_compared_as_far_as_both_go(tmp_path):
    for name in ("lowlevel", "keras"):
        write_measured(tmp_path, name)
    path = tmp_path / "steps" / "keras-default-large-activated-0.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    mend_digests(tmp_path)
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    assert "What differs between the APIs, with equal seeds?" in write_report(tmp_path).tables


def test_a_tuned_variant_without_floor_and_default_has_a_report(tmp_path):
    write_timings(
        tmp_path,
        dict.fromkeys(
            ("lowlevel-tuned", "lowlevel-again", "keras-default", "keras-tuned"),
            RATES["keras-tuned"],
        ),
    )
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    assert "What does each API cost?" in write_report(tmp_path).tables


def test_a_variant_without_calls_takes_no_part_in_a_comparison(tmp_path):
    write_timings(tmp_path, RATES)
    write_text(tmp_path / "environment.json", json.dumps(ENVIRONMENT))
    assert len(compare_runs(tmp_path, tmp_path, 0.1).table) == 4
    path = tmp_path / "rounds" / "small-calls.csv"
    path.write_text(path.read_text().replace("keras-tuned,steady", "keras-tuned,other"))
    mend_digests(tmp_path)
    assert len(compare_runs(tmp_path, tmp_path, 0.1).table) == 3


def test_a_damaged_comparison_is_named_and_the_others_are_read(tmp_path):
    for dataset in ("small", "large"):
        write_comparison(tmp_path, StoredComparison("keras", "lowlevel", dataset, parity("bit")))
    path = tmp_path / "parity" / "small-keras_lowlevel.json"
    path.write_text(path.read_text().replace('"bit"', '"better"'))
    problems = []
    assert [compared.dataset for compared in read_comparisons(tmp_path, problems)] == ["large"]
    assert problems == [
        "Left out a comparison: parity/small-keras_lowlevel.json has an unknown verdict."
    ]


def test_an_unusable_environment_is_one_line(tmp_path):
    write_measured(tmp_path, "lowlevel")
    write_text(tmp_path / "environment.json", json.dumps({**ENVIRONMENT, "settings": [1]}))
    process = run_module("bench", "report", tmp_path)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "settings is no dict" in process.stderr
    process = run_module("bench", "compare", tmp_path, tmp_path)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1


def test_types_are_those_of_the_annotations(tmp_path):
    path = tmp_path / "x.json"
    good = as_record(
        Explanation,
        {"cause": "c", "stage": "s", "title": "t", "evidence": "e", "cure": "u", "lines": ["a"]},
        path,
    )
    assert good == Explanation("c", "s", "t", "e", "u", ["a"])
    assert as_fields(
        {"a": "list[float | None]", "b": "dict[str, int] | None"}, {"a": [1, None], "b": None}, path
    ) == {"a": [1.0, None], "b": None}
    for values in ({"a": ["x"], "b": None}, {"a": [], "b": {"x": 0.5}}, {"a": []}, []):
        with pytest.raises(RawFileError):
            as_fields({"a": "list[float | None]", "b": "dict[str, int] | None"}, values, path)
