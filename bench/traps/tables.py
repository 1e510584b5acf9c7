"""The gallery as a table, and the results of a full run: the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bench.data.source import DATASETS
from bench.diagnose.causes import CAUSES
from bench.durable import write_text
from bench.text_tables import as_text, spread
from bench.traps.runner import ALONE, CLEAN, COMPARED
from bench.traps.trap import Trap, gallery

MEASURED = Path(__file__).parent / "measured"
"""Rows of the full run that the project comes with.

The command `python -m bench traps --full --clean 20 --out bench/traps/measured` makes them.
"""

WIDTHS = [None, None, 48, None, None, None, None]
"""Widths in characters of the gallery's columns; None for columns that are not wrapped."""

FIELDS = [
    "trap",
    "sound",
    "implementation",
    "profile",
    "dataset",
    "seed",
    "stage",
    "cause",
    "state",
    "causes",
    "evidence",
    "right",
    "slowed",
]
"""Columns of the rows that are read here."""

RESOLVED = 1.96
"""Smallest drop of the accuracy that is more than chance (95 %), in its standard errors.

That is 0.01 for the 1,000 evaluation samples of small, 0.08 to 0.13 for the 100 of large.
"""


def measured() -> pd.DataFrame:
    """Returns the trainings that the project comes with; see `trap_trainings`."""
    return trap_trainings(pd.read_csv(MEASURED / ALONE))


def gallery_table(traps: list[Trap], trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per trap, with its effect on the accuracy."""
    return pd.DataFrame(
        [
            {
                "no": trap.number,
                "trap": trap.name,
                "change": trap.change,
                "shows at": trap.stage,
                "in": "\n".join(trap.edits),
                **{
                    f"accuracy on {dataset}": accuracy(trap, dataset, trainings)
                    for dataset in DATASETS
                },
            }
            for trap in traps
        ]
    )


def accuracy(trap: Trap, dataset: str, trainings: pd.DataFrame) -> str:
    """Returns the accuracy without and with the trap: median over APIs and seeds, and range."""
    found = trainings[(trainings["trap"] == trap.name) & (trainings["dataset"] == dataset)]
    return f"{spread(found['without'], 2)}\n{spread(found['with'], 2)}"


def as_record(trap: Trap, trainings: pd.DataFrame) -> dict:
    """Returns a trap as JSON data; `accuracy` lists trainings, each without and with the trap."""
    found = trainings[trainings["trap"] == trap.name]
    rows = found[["implementation", "dataset", "seed", "without", "with"]].astype(object)
    cause = CAUSES[trap.cause]
    return {
        **asdict(trap),
        "title": cause.title,
        "cure": cause.cure,
        "accuracy": rows.where(rows.notna(), None).to_dict("records"),
    }


def described(trap: Trap, trainings: pd.DataFrame) -> str:
    """Returns a trap as text: its change in every API as a diff, its effect, cause and cure."""
    cause = CAUSES[trap.cause]
    effect = "\n           ".join(
        f"{dataset}: {accuracy(trap, dataset, trainings).replace(chr(10), ' without, ')} with it"
        for dataset in trap.datasets
    )
    parts = [
        f"{trap.number}. {trap.name}: {trap.change}",
        f"shows at   {trap.stage}\naccuracy   {effect}\ncause      {cause.title}\n"
        f"cure       {cause.cure}\nsource     {trap.source}",
    ]
    for name, edit in trap.edits.items():
        text = edit.strip("\n") or f"(its own default; the reference is {trap.reference(name)})"
        parts.append(f"{name}\n{text}")
    return "\n\n".join(parts)


def trap_trainings(alone: pd.DataFrame) -> pd.DataFrame:
    """Returns those trainings of a full run that have a trap, with two columns of accuracy.

    `with` is the accuracy of the training's outputs. `without` is that of the same port with the
    same seed, but without the trap.
    """
    keys = ["dataset", "implementation", "seed"]
    sound = alone[alone["trap"].str.startswith("sound:")]
    sound = sound[["trap", *keys, "right"]].rename(columns={"trap": "sound", "right": "without"})
    trapped = alone[~alone["trap"].str.startswith("sound:")].rename(columns={"right": "with"})
    return trapped.merge(sound, on=["sound", *keys], how="left")


def matrix(compared: pd.DataFrame, trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns the confusion matrix, one row per trap; `misses` has the rows that went wrong.

    A column with the name of a dataset counts the comparisons for which stage and cause were right.
    A column with `alone` counts, of the trainings that the trap changed, those for which the cause
    was right without a reference.
    """
    traps, rows = gallery(), []
    judged = {"": judged_comparisons(compared), " alone": judged_trainings(trainings)}
    for name in dict.fromkeys(name for found in judged.values() for name in found["trap"]):
        row = {"trap": name, "stage": traps[name].stage, "cause": traps[name].cause}
        for way, found in judged.items():
            for dataset in dict.fromkeys(found["dataset"]):
                of = found[(found["trap"] == name) & (found["dataset"] == dataset)]
                row[f"{dataset}{way}"] = f"{of['right'].sum()} of {len(of)}" if len(of) else "-"
        rows.append(row)
    return pd.DataFrame(rows)


def misses(compared: pd.DataFrame, trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns a row for every comparison or training for which another cause was named."""
    judged = {
        "with a reference": judged_comparisons(compared),
        "alone": judged_trainings(trainings),
    }
    columns = ["trap", "implementation", "dataset", "seed", "expected", "named"]
    return pd.DataFrame(
        [
            {"mode": mode, **row}
            for mode, found in judged.items()
            for row in found.loc[found["expected"] != found["named"], columns].to_dict("records")
        ],
        columns=["mode", *columns],
    )


def judged_comparisons(compared: pd.DataFrame) -> pd.DataFrame:
    """Returns the comparisons with the stage and cause `expected` and `named`; `right` if equal."""
    return _judged(
        compared,
        lambda trap: f"{trap.stage}: {trap.cause}",
        compared["stage"] + ": " + compared["cause"].fillna(""),
    )


def judged_trainings(trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns the trainings that their trap changed, with the cause `expected` and `named`.

    A trap changed a training that did not train, or whose accuracy is lower by more than chance.
    """
    samples = trainings["dataset"].map({name: spec.evaluation for name, spec in DATASETS.items()})
    variance = (
        sum(trainings[name] * (1 - trainings[name]) for name in ("without", "with")) / samples
    )
    lower = trainings["without"] - trainings["with"] > RESOLVED * variance**0.5
    changed = trainings[lower | (trainings["state"] != "trained")]
    first = changed["causes"].fillna("").str.split().str[0].fillna("nothing")
    return _judged(
        changed,
        lambda trap: trap.alone or trap.cause,
        first.where(changed["state"] != "error", changed["evidence"]),
    )


def _judged(rows: pd.DataFrame, expected: Callable[[Trap], str], named: pd.Series) -> pd.DataFrame:
    traps = gallery()
    found = rows.assign(expected=[expected(traps[name]) for name in rows["trap"]], named=named)
    return found.assign(right=found["expected"] == found["named"])


def summary(compared: pd.DataFrame, alone: pd.DataFrame, clean: pd.DataFrame) -> list[str]:
    """Returns the main figures of a full run, one sentence each."""
    texts = []
    if len(compared):
        found, total = judged_comparisons(compared), len(compared)
        stages = (found["stage"] == found["expected"].str.split(": ").str[0]).sum()
        texts.append(
            f"With a reference: right stage {stages} of {total}, right stage and cause "
            f"{_share(found['right'])}."
        )
    if len(alone):
        found = judged_trainings(trap_trainings(alone))
        texts.append(
            f"Without a reference: {len(found)} trainings changed by their trap (not trained, or "
            f"accuracy lower by more than chance), right cause {_share(found['right'])}."
        )
    unchanged = alone[alone["trap"].str.startswith("sound:")]
    texts += [
        _alarms(what, rows)
        for what, rows in (("Sound ports", clean), ("The ports without their traps", unchanged))
        if len(rows)
    ]
    slowed = pd.concat([alone["slowed"], clean["slowed"]]).astype("float64").dropna()
    if len(slowed):
        texts.append(
            f"Watching slowed {len(slowed)} trainings by {slowed.median():.1%} (median; 95 % of "
            f"them by less than {slowed.quantile(0.95):.1%}, all by less than {slowed.max():.1%})."
        )
    return texts


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=FIELDS)


def _share(right: pd.Series) -> str:
    return f"{right.sum()} of {len(right)} ({right.mean():.1%})" if len(right) else "0 of 0"


def _alarms(what: str, rows: pd.DataFrame) -> str:
    named = rows["causes"].fillna("")
    counts = ", ".join(
        f"{count} with {cause}" for cause, count in named[named != ""].value_counts().items()
    )
    errors = (rows["state"] == "error").sum()
    return (
        f"{what}: {len(rows)} trainings, a cause named for {(named != '').sum()}"
        + (f" ({counts})" if counts else "")
        + (f"; {errors} could not be diagnosed." if errors else ".")
    )


def write_traps(folder: Path) -> str:
    """Writes traps.md from the rows of a full run; returns the text of its summary."""
    compared, alone, clean = (_read(folder / name) for name in (COMPARED, ALONE, CLEAN))
    texts = summary(compared, alone, clean)
    parts = ["# Traps", "\n".join(f"- {text}" for text in texts)]
    trainings = trap_trainings(alone)
    if len(compared) or len(trainings):
        parts.append("## The matrix\n\n" + as_text(matrix(compared, trainings), "github"))
        parts.append("## Other causes named\n\n" + as_text(misses(compared, trainings), "github"))
    write_text(folder / "traps.md", "\n\n".join(parts) + "\n")
    return (
        "\n"
        + "\n".join(f"- {text}" for text in texts)
        + f"\n\n{folder / 'traps.md'} has the tables."
    )
