"""The gallery as a table, and what a full run of it found: the confusion matrix."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bench.data.source import DATASETS
from bench.diagnose.causes import CAUSES
from bench.diagnose.trap import Trap, gallery
from bench.measure import raw
from bench.report.tables import as_text, spread
from bench.run.gallery import ALONE, CLEAN, COMPARED

MEASURED = Path(__file__).parent / "measured"
"""The rows of the full run that the project comes with: `python -m bench traps --full --clean 20 --out bench/report/measured`."""

WIDTHS = [None, None, 48, None, None, None, None]
"""Of the gallery's columns, in characters, where they are wrapped."""

CHANGES = 0.05
"""Of accuracy: a trap that lowers it by as much changes training."""


def measured() -> pd.DataFrame:
    """Trainings with and without traps that the project comes with; see `trap_trainings`."""
    return trap_trainings(pd.read_csv(MEASURED / ALONE))


def gallery_table(traps: list[Trap], trainings: pd.DataFrame) -> pd.DataFrame:
    """A row a trap, with what it does to accuracy."""
    return pd.DataFrame([{"no": trap.number, "trap": trap.name, "change": trap.change, "shows at": trap.stage,
                          "in": "\n".join(trap.edits), **{dataset: accuracy(trap, dataset, trainings) for dataset in DATASETS}}
                         for trap in traps])


def accuracy(trap: Trap, dataset: str, trainings: pd.DataFrame) -> str:
    """Accuracy without the trap and with it, each the median over APIs and seeds and their range."""
    found = trainings[(trainings["trap"] == trap.name) & (trainings["dataset"] == dataset)]
    return f"{spread(found['without'], 2)}\n{spread(found['right'], 2)}"


def as_record(trap: Trap, trainings: pd.DataFrame) -> dict:
    """A trap for programs; `accuracy` is a list of single trainings, each without it and with it."""
    found = trainings[trainings["trap"] == trap.name].rename(columns={"right": "with"})
    rows = found[["implementation", "dataset", "seed", "without", "with"]].astype(object)
    cause = CAUSES[trap.cause]
    return {**asdict(trap), "title": cause.title, "cure": cause.cure, "accuracy": rows.where(rows.notna(), None).to_dict("records")}


def described(trap: Trap, trainings: pd.DataFrame) -> str:
    """A trap in full: its change in every API as a diff, what it does to accuracy, cause, cure and source."""
    cause = CAUSES[trap.cause]
    effect = "\n           ".join(f"{dataset}: {accuracy(trap, dataset, trainings).replace(chr(10), ' without, ')} with it"
                                 for dataset in trap.datasets)
    parts = [f"{trap.number}. {trap.name}: {trap.change}", f"shows at   {trap.stage}\naccuracy   {effect}\ncause      {cause.title}\n"
             f"cure       {cause.cure}\nsource     {trap.source}"]
    for name, edit in trap.edits.items():
        text = edit.strip("\n") or f"(its own default; the reference is {trap.reference(name)})"
        parts.append(f"{name}\n{text}")
    return "\n\n".join(parts)


def confusion(compared: pd.DataFrame) -> pd.DataFrame:
    """A row a trap and dataset: how many instances there were, at how many the right stage and cause were named, and what was said
    of the others."""
    traps, rows = gallery(), []
    for (dataset, name), found in compared.groupby(["dataset", "trap"], sort=False):
        trap = traps[name]
        stage, cause = found["stage"] == trap.stage, found["cause"] == trap.cause
        others = (found["stage"] + ": " + found["cause"].fillna(""))[~(stage & cause)].value_counts()
        rows.append({"dataset": dataset, "trap": name, "stage": trap.stage, "cause": trap.cause, "instances": len(found),
                     "right stage": int(stage.sum()), "right cause": int(cause.sum()),
                     "otherwise": "; ".join(f"{text} ({count})" for text, count in others.items())})
    return pd.DataFrame(rows)


def trap_trainings(alone: pd.DataFrame) -> pd.DataFrame:
    """Of a full run's trainings those with a trap; `without` is the accuracy of the same port with the same seed without it."""
    keys = ["dataset", "implementation", "seed"]
    sound = alone[alone["trap"].str.startswith("sound:")]
    sound = sound[["trap", *keys, "right"]].rename(columns={"trap": "sound", "right": "without"})
    return alone[~alone["trap"].str.startswith("sound:")].merge(sound, on=["sound", *keys], how="left")


def alone_table(alone: pd.DataFrame) -> pd.DataFrame:
    """A row a trap and dataset: accuracy without it and with it (medians over APIs and seeds), and at how many of the trainings that
    it changes the right cause was named."""
    traps, rows = gallery(), []
    for (dataset, name), found in trap_trainings(alone).groupby(["dataset", "trap"], sort=False):
        wanted = traps[name].alone or traps[name].cause
        lost = found["without"] - found["right"]
        changed = found[(lost >= CHANGES) | ((found["state"] != "trained") & (found["without"] > 0.6))]
        named = [wanted == (str(causes).split() or [""])[0] for causes in changed["causes"].fillna("")]
        said = changed["causes"].fillna("").str.split().str[0].fillna("nothing")[[not right for right in named]].value_counts()
        rows.append({"dataset": dataset, "trap": name, "accuracy without": spread(found["without"], 3),
                     "accuracy with": spread(found["right"], 3),
                     "trainings": len(found), "changed": len(changed), "right cause": sum(named),
                     "otherwise": "; ".join(f"{text} ({count})" for text, count in said.items())})
    return pd.DataFrame(rows)


def summary(compared: pd.DataFrame, alone: pd.DataFrame, clean: pd.DataFrame) -> list[str]:
    """The numbers that matter, each with what it is of."""
    texts = []
    if len(compared):
        table = confusion(compared)
        total = table["instances"].sum()
        texts.append(f"With a reference: right stage {table['right stage'].sum()} of {total}, right cause {table['right cause'].sum()} "
                     f"of {total} ({table['right cause'].sum() / total:.1%}).")
    if len(alone):
        table = alone_table(alone)
        changed = table["changed"].sum()
        texts.append(f"Without a reference: {changed} trainings changed by their trap (accuracy lower by {CHANGES} or more, or not "
                     f"trained), right cause {table['right cause'].sum()} of them ({table['right cause'].sum() / max(changed, 1):.1%}).")
    for what, rows in (("Sound ports", clean), ("The ports without their traps", alone[alone["trap"].str.startswith("sound:")]
                                                if len(alone) else alone)):
        if len(rows):
            causes = rows["causes"].fillna("")
            alarms = rows[causes != ""]
            dead = alarms["causes"].str.split().str[0].eq("dead_relus").sum()
            texts.append(f"{what}: {len(rows)} trainings, {len(alarms)} with something found wrong, {dead} of them dead ReLUs.")
    if len(alone):
        texts.append(f"Watching slowed trainings by {alone['slowed'].median():.1%} (median; 95 % of them by less than "
                     f"{alone['slowed'].quantile(0.95):.1%}).")
    return texts


def write_traps(folder: Path) -> str:
    """Writes traps.md from the rows of a full run; the text of its summary."""
    frames = [pd.read_csv(folder / name) if (folder / name).is_file() else pd.DataFrame() for name in (COMPARED, ALONE, CLEAN)]
    texts = summary(*frames)
    parts = ["# Traps", "\n".join(f"- {text}" for text in texts)]
    if len(frames[0]):
        parts.append("## With a reference\n\n" + as_text(confusion(frames[0]), "github"))
    if len(frames[1]):
        parts.append("## Without a reference\n\n" + as_text(alone_table(frames[1]), "github"))
    raw.write_text(folder / "traps.md", "\n\n".join(parts) + "\n")
    return "\n" + "\n".join(f"- {text}" for text in texts) + f"\n\n{folder / 'traps.md'} has the tables."
