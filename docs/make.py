"""Makes the parts of README.md and docs/ that are computed: `make docs`.

    python -m docs.make             # from the code, bench/traps/measured and docs/measured
    python -m docs.make results     # the same, after docs/measured was taken anew from that run

A page has markers, `<!-- table: NAME -->` and `<!-- end -->`: what stands between them comes from
`TABLES`. Numbers in sentences come from `NUMBERS`.
"""

from __future__ import annotations

import ast
import functools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd

from bench.implementations import IMPLEMENTATIONS
from bench.measure.code import TRAINING, api_names, count_code_lines, count_statements
from bench.results.files import read_json
from bench.task import PROFILES
from bench.text_tables import as_text
from bench.traps import tables as traps
from bench.traps.trap import gallery
from docs.architecture import ROOT, picture

MEASURED = ROOT / "docs" / "measured"
RUN_FILES = ["results.md", "results.csv", "throughput.csv", "curves.csv", "imports.json"]
"""Files of a result folder that docs/measured has: what `report` writes, and the timed imports."""

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def run_report() -> str:
    """Returns the report of the measured run, in Markdown."""
    return (MEASURED / "results.md").read_text()


def section(title: str) -> str:
    """Returns the table, or the list, that the run's report has below a heading."""
    parts = dict(part.split("\n\n", 1) for part in run_report().split("\n## ")[1:])
    lines = parts[title].split("\n")
    table = [line for line in lines if line.startswith("|")]
    return "\n".join(table) or listed([line for line in lines if line.startswith("- ")])


def listed(lines: list[str]) -> str:
    """Returns lines of a list, broken at 100 columns."""
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    )


def findings() -> str:
    """Returns what the run's report says in words."""
    head = run_report().split("\n## ")[0]
    return listed([line for line in head.split("\n") if line.startswith("- ")])


def columns_of(table: str, names: list[str]) -> str:
    """Returns some columns of a table in Markdown."""
    header, _, *rows = ([cell.strip() for cell in line.split("|")] for line in table.split("\n"))
    places = [header.index(name) for name in names]
    frame = pd.DataFrame([[row[place] for place in places] for row in rows], columns=names)
    return as_text(frame, "github")


def cost_in_short() -> str:
    """Returns the throughput of every variant, without the ratios between them."""
    names = ["dataset", "implementation", "profile", "samples/s", "of the floor"]
    return columns_of(section("What does each API cost?"), names)


def code_counted() -> str:
    """Returns how much code every implementation is, counted now."""
    rows = []
    for implementation, package in IMPLEMENTATIONS.items():
        for profile in PROFILES:
            names = TRAINING if profile == "default" else [*TRAINING, profile]
            modules = [ModuleType(name) for name in names]
            for module in modules:
                module.__file__ = str(ROOT / package / f"{module.__name__}.py")
            rows.append(
                {
                    "implementation": implementation,
                    "profile": profile,
                    "code lines": count_code_lines(modules),
                    "statements": count_statements(modules),
                    "API names": len(api_names(modules)),
                }
            )
    return as_text(pd.DataFrame(rows), "github")


def train_function(implementation: str) -> str:
    """Returns the function `train` of an implementation, as a block of code."""
    source = (ROOT / IMPLEMENTATIONS[implementation] / "train.py").read_text()
    function = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "train"
    )
    return f"```python\n{ast.get_source_segment(source, function)}\n```"


def trap_rows() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Returns the measured comparisons, trainings and sound trainings of the gallery."""
    compared, alone, clean = (
        pd.read_csv(traps.MEASURED / name) for name in (traps.COMPARED, traps.ALONE, traps.CLEAN)
    )
    return compared, alone, clean


def trap_summary() -> str:
    """Returns what a full run of the gallery found, in words."""
    return listed([f"- {text}" for text in traps.summary(*trap_rows())])


def trap_misses() -> str:
    """Returns the measured traps that were named otherwise."""
    compared, alone, _ = trap_rows()
    return as_text(traps.misses(compared, traps.trap_trainings(alone)), "github")


def trap_matrix() -> str:
    """Returns how often every trap was named, by dataset, with a reference and without."""
    compared, alone, _ = trap_rows()
    return as_text(traps.matrix(compared, traps.trap_trainings(alone)), "github")


TABLES: dict[str, Callable[[], str]] = {
    "findings": findings,
    "machine": lambda: run_report().strip().split("\n")[-1],
    "Does it train?": lambda: section("Does it train?"),
    "agreement": lambda: section("What differs between the APIs, with equal seeds?"),
    "cost in short": cost_in_short,
    "cost": lambda: section("What does each API cost?"),
    "parts of a step": lambda: section("Where does the time of a step go?"),
    "other costs": lambda: section("What else does it cost?"),
    "code": code_counted,
    **{f"train, {name}": functools.partial(train_function, name) for name in IMPLEMENTATIONS},
    "tuned": lambda: section("Does a tuned run end as the default one?"),
    "warnings": lambda: section("Warnings"),
    "traps, in words": trap_summary,
    "traps, named otherwise": trap_misses,
    "traps, the matrix": trap_matrix,
}
"""What stands between the markers of that name."""


def comparisons() -> pd.DataFrame:
    """Returns the measured comparisons of traps, each right or not."""
    return traps.judged_comparisons(trap_rows()[0])


def changed(dataset: str = "") -> pd.DataFrame:
    """Returns the measured trainings that their trap changed, of one dataset or of both."""
    judged = traps.judged_trainings(traps.trap_trainings(trap_rows()[1]))
    return judged[judged["dataset"].str.startswith(dataset)]


def lower_by(least: float) -> pd.Series:
    """Returns whether the right cause was named first, of every training whose trap took so much
    accuracy from it or kept it from training."""
    rows = traps.trap_trainings(trap_rows()[1])
    rows = rows[(rows["without"] - rows["with"] >= least) | (rows["state"] != "trained")]
    found = gallery()
    wanted = [found[name].alone or found[name].cause for name in rows["trap"]]
    return rows["causes"].fillna("").str.split().str[0] == wanted


def sound_ports(state: str = "", named: bool = False) -> int:
    """Returns the number of trainings of sound ports, of a state or with a cause."""
    clean = trap_rows()[2]
    of = clean["state"].str.startswith(state) & (clean["causes"].notna() | (not named))
    return int(of.sum())


def line_with(path: str, text: str) -> int:
    """Returns the number of the first line of a file that has a text."""
    lines = (ROOT / path).read_text().split("\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def share(right: pd.Series) -> str:
    """Returns how many are right: `74 of 80`."""
    return f"{right.sum()} of {len(right)}"


def cell(table: str, column: str, *begins: str) -> str:
    """Returns what stands in a column of a table, in the first row that begins with some cells."""
    header, _, *rows = ([one.strip() for one in line.split("|")][1:] for line in table.split("\n"))
    row = next(row for row in rows if tuple(row[: len(begins)]) == begins)
    return row[header.index(column)].split()[0]


def kernels(dataset: str) -> float:
    """Returns the milliseconds in kernels of a step of tuned sessions."""
    return float(cell(TABLES["parts of a step"](), "kernels", dataset, "lowlevel", "tuned"))


def endings(autotuner: str) -> pd.Series:
    """Returns the seconds from the last evaluation of a training to its end, with the autotuner of
    `tf.data` "on" or "off"."""
    rows = pd.read_csv(MEASURED / "autotuner.csv")
    return (rows["ended_s"] - rows["last_evaluation_s"])[rows["autotuner"] == autotuner]


def late_endings() -> pd.Series:
    """Returns those that lasted longer than all without the autotuner, by half a second."""
    return endings("on")[endings("on") > endings("off").max() + 0.5]


NUMBERS: list[tuple[str, str, Callable[[], object]]] = [
    ("README.md", r"measured on (\d+) faults", lambda: len(gallery())),
    ("README.md", r"(\d+ of \d+) comparisons", lambda: share(comparisons()["right"])),
    ("README.md", r"(\d+ of \d+) trainings", lambda: share(changed()["right"])),
    (
        "README.md",
        r"look at network\.py:(\d+)",
        lambda: line_with("impl_keras/network.py", "activation = tf.nn.sigmoid"),
    ),
    ("docs/cost.md", r"kernels need (\S+) ms", lambda: f"{kernels('small'):.1f}"),
    ("docs/cost.md", r"A step is (\S+) ms of kernels", lambda: f"{kernels('large'):.0f}"),
    ("docs/cost.md", r"on large, (\d+) trainings each", lambda: len(endings("on"))),
    ("docs/cost.md", r"with the autotuner (\d+) ended", lambda: len(late_endings())),
    (
        "docs/cost.md",
        r"ended (\S+) s after their",
        lambda: f"{late_endings().min():.1f}-{late_endings().max():.1f}",
    ),
    ("docs/cost.md", r"more than (\S+) s after", lambda: f"{endings('off').max():.1f}"),
    ("docs/diagnose.md", r"(\d+) traps of", lambda: len(gallery())),
    ("docs/diagnose.md", r"(\d+) kinds", lambda: len({trap.number for trap in gallery().values()})),
    ("docs/diagnose.md", r"(\d+) in all", lambda: sum(len(t.edits) for t in gallery().values())),
    ("docs/diagnose.md", r"named at (\d+ of \d+)", lambda: share(comparisons()["right"])),
    ("docs/diagnose.md", r"Of (\d+) such trainings", lambda: len(changed())),
    ("docs/diagnose.md", r"named first in (\d+):", lambda: changed()["right"].sum()),
    ("docs/diagnose.md", r"in (\d+ of \d+) on small", lambda: share(changed("small")["right"])),
    ("docs/diagnose.md", r"in (\d+ of \d+) on large", lambda: share(changed("large")["right"])),
    ("docs/diagnose.md", r"it is (\d+ of \d+)", lambda: share(lower_by(0.05))),
    ("docs/diagnose.md", r"(\d+) trainings\. \d+ of them", sound_ports),
    ("docs/diagnose.md", r"(\d+) of them train,", lambda: sound_ports("trained")),
    ("docs/diagnose.md", r"Of (\d+) of them this is", lambda: sound_ports(named=True)),
]
"""A page, a pattern with one group that stands for a number in a sentence of it, and the number.
A space in a pattern stands for a space or the end of a line."""


def filled(page: Path, text: str) -> str:
    """Returns the text of a page with its tables and numbers made again.

    Raises:
        ValueError: a pattern of `NUMBERS` occurs not once on its page.
    """
    text = BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)
    for name, pattern, number in NUMBERS:
        if ROOT / name == page:
            found = list(re.finditer(pattern.replace(" ", r"\s+"), text))
            if len(found) != 1:
                raise ValueError(f"{name}: {pattern!r} occurs {len(found)} times, not once")
            if found[0][1].split() != str(number()).split():  # else a line may break within it
                text = text[: found[0].start(1)] + str(number()) + text[found[0].end(1) :]
    return text


def take_run(folder: Path) -> None:
    """Makes the report of a run, and copies to docs/measured what the pages are made from.

    Raises:
        ValueError: it is a quick run, whose figures mean nothing.
    """
    from bench.report.write import write_report

    if read_json(folder / "environment.json")["quick"]:
        raise ValueError(f"{folder} holds a quick run, whose figures mean nothing")
    write_report(folder)
    MEASURED.mkdir(exist_ok=True)
    for name in RUN_FILES:
        shutil.copyfile(folder / name, MEASURED / name)
    shutil.copyfile(folder / "curves.png", ROOT / "docs" / "curves.png")


def main(arguments: list[str]) -> None:
    """Makes the picture of the packages, and fills all pages."""
    if arguments:
        take_run(Path(arguments[0]))
    (ROOT / "docs" / "architecture.svg").write_text(picture())
    for page in PAGES:
        page.write_text(filled(page, page.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
