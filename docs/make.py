"""Makes the parts of README.md and docs/ that are computed: `make docs`.

    python -m docs.make             # from the code, bench/traps/measured and docs/measured
    python -m docs.make results     # the same, after docs/measured was taken anew from that run

A page has markers, `<!-- table: NAME -->` and `<!-- end -->`: what stands between them comes from
`TABLES`. Numbers in sentences come from `NUMBERS`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.report.frames import CURVE_COLUMNS, RESULT_COLUMNS
from bench.results.files import read_json
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
    """Returns what the run's report has below a heading."""
    parts = dict(part.split("\n\n", 1) for part in run_report().split("\n## ")[1:])
    lines = parts[title].strip().split("\n")
    listed = [line for line in lines if line.startswith(("|", "- "))]
    return "\n".join(listed)


def findings() -> str:
    """Returns what the run's report says in words."""
    return run_report().split("\n\n")[1]


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


def trap_rows() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Returns the measured comparisons, trainings and sound trainings of the gallery."""
    compared, alone, clean = (
        pd.read_csv(traps.MEASURED / name) for name in (traps.COMPARED, traps.ALONE, traps.CLEAN)
    )
    return compared, alone, clean


def trap_summary() -> str:
    """Returns what a full run of the gallery found, in words."""
    return "\n".join(f"- {text}" for text in traps.summary(*trap_rows()))


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
    "code": lambda: section("How much code is it?"),
    "tuned": lambda: section("Does a tuned run end as the default one?"),
    "cautions": lambda: section("Cautions"),
    "traps, in words": trap_summary,
    "traps, named otherwise": trap_misses,
    "traps, the matrix": trap_matrix,
}
"""What stands between the markers of that name."""


def right_of(rows: pd.DataFrame) -> str:
    """Returns how many of the judged rows are right: `74 of 80`."""
    return f"{rows['right'].sum()} of {len(rows)}"


def trainings_judged(dataset: str = "") -> pd.DataFrame:
    """Returns the trainings that their trap changed, of one dataset or of all."""
    judged = traps.judged_trainings(traps.trap_trainings(trap_rows()[1]))
    return judged[judged["dataset"].str.startswith(dataset)]


def kernels_ms(dataset: str, profile: str) -> float:
    """Returns the time in kernels of a sessions' step, in ms."""
    rows = pd.read_csv(MEASURED / "throughput.csv").set_index(
        ["dataset", "implementation", "profile"]
    )
    return float(rows.loc[(dataset, "lowlevel", profile), "kernels_ms"])


NUMBERS: list[tuple[str, str, Callable[[], str]]] = [
    ("README.md", r"(\d+ of \d+) comparisons", lambda: right_of(traps.judged_comparisons(trap_rows()[0]))),
]
"""A page, a pattern with one group that stands for a number in a sentence of it, and the number."""


def filled(page: Path, text: str) -> str:
    """Returns the text of a page with its tables and numbers made again.

    Raises:
        ValueError: a pattern of `NUMBERS` occurs not once on its page.
    """
    text = BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)
    for name, pattern, number in NUMBERS:
        if ROOT / name == page:
            found = list(re.finditer(pattern, text))
            if len(found) != 1:
                raise ValueError(f"{name}: {pattern!r} occurs {len(found)} times, not once")
            text = text[: found[0].start(1)] + number() + text[found[0].end(1) :]
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
