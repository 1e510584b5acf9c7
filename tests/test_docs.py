"""README and docs: their numbers, links, commands and options, and the length of their lines."""

import re

import click
import pandas as pd
import pytest

from bench.cli.group import main as bench_command
from bench.report.cost import code_table, other_costs_table, tax_table, throughput_table
from bench.report.frames import CURVE_COLUMNS, RESULT_COLUMNS
from bench.report.tables import training_table, tuned_table
from bench.results.files import read_json
from bench.run.train_cli import command as implementation_command
from bench.text_tables import as_text
from docs.architecture import ROOT, picture
from docs.make import MEASURED, PAGES, filled, section

README = ROOT / "README.md"
WRITTEN = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "results" / "README.md"]
WIDTH = 100

OTHER_PROGRAMS = {"--kill-on-bad-exit"}
"""Options in the pages that are those of other programs."""

each_page = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_and_numbers_are_those_of_the_code_and_the_measured_files(page):
    text = page.read_text()
    assert text == filled(page, text), "run 'make docs'"


def test_a_number_that_was_changed_by_hand_is_noticed():
    text = README.read_text()
    changed = re.sub(r"\d+ of 80\b", "79 of 80", text)
    assert changed != text
    assert filled(README, changed) == text


def test_a_table_that_was_changed_by_hand_is_noticed():
    page = ROOT / "docs" / "cost.md"
    text = page.read_text()
    changed = text.replace(
        "| small     | keras            | tuned ", "| small     | keras  | tuned "
    )
    assert changed != text
    assert filled(page, changed) == text


def test_the_measured_report_is_that_of_its_csv_files():
    if "were not kept" in (MEASURED / "results.md").read_text().split("\n")[0]:
        pytest.skip(
            "docs/measured has the report of an earlier version alone: make docs RESULTS=..."
        )
    results, throughput, curves = (
        pd.read_csv(MEASURED / f"{name}.csv") for name in ("results", "throughput", "curves")
    )
    imports = pd.DataFrame(read_json(MEASURED / "imports.json")["imports"])
    ok = results[results["status"] == "ok"]
    counts = ["code_lines", "statements", "api_names"]
    for title, table in {
        "Does it train?": training_table(results),
        "What does each API cost?": throughput_table(throughput),
        "Where does the time of a step go?": tax_table(throughput),
        "What else does it cost?": other_costs_table(ok, imports),
        "How much code is it?": code_table(ok.astype(dict.fromkeys(counts, int))),
        "Does a tuned run end as the default one?": tuned_table(curves),
    }.items():
        assert section(title) == as_text(table, "github"), title


def test_the_picture_of_the_packages_is_that_of_the_code():
    assert (ROOT / "docs" / "architecture.svg").read_text() == picture(), "run 'make docs'"


@each_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("https://", "http://")):
            name, _, heading = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            assert linked.exists(), target
            assert not heading or heading in headings(linked.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_code_style_exist(page):
    for path in re.findall(r"`((?:bench|impl_\w+|tests|docs|examples)/[\w./]*)`", page.read_text()):
        assert (ROOT / path).exists(), path


def headings(text: str) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@each_page
def test_no_line_of_prose_is_wider_than_100_columns(page):
    for number, line in enumerate(page.read_text().split("\n"), 1):
        table_or_code = line.startswith(("|", "    ", "<", "!["))
        assert table_or_code or len(line) <= WIDTH, f"line {number} has {len(line)} columns"


def test_readme_has_200_lines_at_most():
    assert len(README.read_text().split("\n")) <= 200


def command_of(words: list[str]) -> click.Command:
    """Returns the command of the first words after `python -m`."""
    if words[0].startswith("impl_"):
        return implementation_command
    command: click.Command = bench_command
    for word in words[1:]:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            assert command is not bench_command or word.isupper(), f"there is no verb {word}"
            break
        command = found
    return command


def options_of(command: click.Command) -> set[str]:
    """Returns the names of a command's options."""
    found = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return found | {"--help", "-h"}


@each_page
def test_commands_and_their_options_exist(page):
    for line in re.findall(r"python -m ((?:bench|impl_\w+)\b[^`\n#]*)", page.read_text()):
        words = line.split()
        known = options_of(command_of(words))
        for word in words:
            if word.startswith("-") and word.rstrip(".,:;)") not in {"-", *known}:
                pytest.fail(f"python -m {line.strip()}: there is no option {word}")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_options_alone_exist(page):
    context = click.Context(bench_command)
    known = OTHER_PROGRAMS | options_of(bench_command) | options_of(implementation_command)
    for verb in bench_command.list_commands(context):
        command = bench_command.get_command(context, verb)
        known |= options_of(command)
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                known |= options_of(inner)
    for option in re.findall(r"`[^`\n]*?(--[a-z][\w-]*)", page.read_text()):
        assert option in known, option


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("results.csv", {*RESULT_COLUMNS, "parity", "cause"}),
        ("throughput.csv", None),
        ("curves.csv", set(CURVE_COLUMNS)),
    ],
)
def test_every_column_is_explained(heading, columns):
    text = (ROOT / "docs" / "results.md").read_text()
    part = re.split(r"\n##+ ", text.split(f"### {heading}")[1])[0]
    explained = {
        name
        for line in part.split("\n")
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    if columns is None:
        path = MEASURED / heading
        columns = set(pd.read_csv(path).columns) if path.exists() else explained
        assert columns <= explained
    else:
        assert explained == columns
