"""Options that choose the samples: ours, real records in their place, or the user's own data."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console

from bench.data.records import AT, SKIP_DAMAGED, Records
from bench.data.source import DATASETS, QUICK_DATASETS, Source, Spec, at_most
from bench.data.sums import UNPROTECTED, sums_file
from bench.data.synthetic import Synthetic
from bench.data.user_files import UserData, UserFile
from bench.run.progress import share_progress
from bench.task import UserError

MOST = 10**9
"""Largest number of samples: as many as there are."""

skip_damaged_option = click.option(
    SKIP_DAMAGED,
    is_flag=True,
    help="With WFDB records: leave out those that are damaged or cannot be used, and name them.  "
    "[default: one of them ends the command]",
)

OPTIONS = [
    click.option(
        "--samples",
        type=click.IntRange(min=8),
        metavar="N",
        help="Training samples of each of our datasets; a quarter as many are for evaluation. "
        "Samples that do not fit into memory are streamed.  [default: 4,000 and 1,000 on small, "
        "400 and 100 on large]",
    ),
    click.option(
        "--records",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="A folder of WFDB records (.hea, .dat, .atr) to cut both datasets from, in place of "
        "synthetic samples.",
    ),
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Samples of your own, of any length and with any classes: .npz, .csv, .parquet, a "
        "folder of TFRecords, or a folder of WFDB records. A fifth of each class is for evaluation "
        "('data inspect' tells what is in a file).",
    ),
    click.option(
        "--label-name",
        metavar="NAME",
        help="With --data: the array, column or feature that holds the labels; in a CSV "
        "without names the number of the column, from 0, or -1 for the last.  [default: label]",
    ),
    click.option(
        "--signal-name",
        metavar="NAME",
        help="With --data: the array, column of lists or feature that holds the signal.  "
        "[default: signal]",
    ),
    click.option(
        "--positive",
        metavar="A,B",
        help="With --data of WFDB records: the annotation symbols of class 1.  [default: V]",
    ),
    click.option(
        "--at",
        type=click.Choice(list(AT)),
        help="With --data of WFDB records: cut samples around beats, or strips that have "
        "three positive beats or none.  [default: beats]",
    ),
    click.option(
        "--length",
        type=click.IntRange(min=1),
        metavar="N",
        help="With --data of WFDB records: values per sample.  [default: "
        + ", ".join(f"{length:,} at {at}" for at, length in AT.items())
        + "]",
    ),
    click.option(
        "--channel",
        metavar="NAME",
        help="With --data of WFDB records: the number of the signal, from 0, or its name.  "
        "[default: 0]",
    ),
    skip_damaged_option,
]


@dataclass(frozen=True)
class DataOptions:
    """The values of the options above; None or False if an option was not given."""

    samples: int | None = None
    records: Path | None = None
    data: Path | None = None
    label_name: str | None = None
    signal_name: str | None = None
    positive: str | None = None
    at: str | None = None
    length: int | None = None
    channel: str | None = None
    skip_damaged: bool = False

    @property
    def of_records(self) -> dict[str, object]:
        """The options for WFDB records, by name."""
        return {
            "--positive": self.positive,
            "--at": self.at,
            "--length": self.length,
            "--channel": self.channel,
        }

    @property
    def of_files(self) -> dict[str, object]:
        """The options for other formats, by name."""
        return {"--label-name": self.label_name, "--signal-name": self.signal_name}


def data_options(command):
    """Adds the options to a command, which receives them as one `DataOptions`, named `chosen`."""
    names = list(DataOptions.__dataclass_fields__)

    @functools.wraps(command)
    def with_chosen(*arguments, **options):
        return command(
            *arguments, chosen=DataOptions(**{name: options.pop(name) for name in names}), **options
        )

    for option in reversed(OPTIONS):
        with_chosen = option(with_chosen)
    return with_chosen


def open_source(
    chosen: DataOptions, datasets: Sequence[str], quick: bool, console: Console
) -> tuple[Source, dict[str, Spec]]:
    """Returns where samples come from, and the datasets to make of them, by name.

    Raises:
        UserError: The options contradict each other, or the data cannot be used.
    """
    if chosen.data is None:
        _refuse({**chosen.of_records, **chosen.of_files}, "is for --data")
        return open_replaced(chosen.records, chosen.skip_damaged, console), {
            name: _sized((QUICK_DATASETS if quick else DATASETS)[name], chosen.samples)
            for name in datasets or DATASETS
        }
    _refuse(
        {"--records": chosen.records, "--dataset": datasets or None, "--samples": chosen.samples},
        "and --data exclude each other",
    )
    source: Source
    if holds_records(chosen.data):
        source, spec = open_records(chosen.data, chosen)
        remarks = source.remarks
    else:
        (source, spec), remarks = _open_file(chosen.data, chosen, console), []
    _note(remarks, chosen.data, console)
    return source, {spec.name: at_most(spec, QUICK_DATASETS[spec.size]) if quick else spec}


def open_replaced(records: Path | None, skip_damaged: bool, console: Console) -> Source:
    """Returns where the samples of our datasets come from: WFDB records, or our own formulas.

    Raises:
        UserError: The records cannot be used, or there are none to skip.
    """
    if records is None:
        _refuse({SKIP_DAMAGED: skip_damaged}, "is for WFDB records")
        return Synthetic()
    source = Records(records, skip_damaged=skip_damaged)
    _note(source.remarks, records, console)
    return source


def open_one(chosen: DataOptions, dataset: str, console: Console) -> tuple[Source, Spec]:
    """Returns the same for a single dataset: of ours, `dataset`."""
    source, specs = open_source(chosen, [] if chosen.data else [dataset], False, console)
    return source, next(iter(specs.values()))


def _sized(spec: Spec, samples: int | None) -> Spec:
    return spec if samples is None else replace(spec, train=samples, evaluation=samples // 4)


def holds_records(folder: Path) -> bool:
    """Tells whether `folder` is a folder of WFDB records."""
    return folder.is_dir() and any(folder.glob("*.hea"))


def own_file(data: Path, chosen: DataOptions) -> UserFile:
    """Returns the file `data`, which holds no WFDB records."""
    _refuse({**chosen.of_records, SKIP_DAMAGED: chosen.skip_damaged}, "is for WFDB records")
    return UserFile(data, chosen.signal_name, chosen.label_name)


def open_records(data: Path, chosen: DataOptions) -> tuple[Records, Spec]:
    """Opens the folder `data` of WFDB records."""
    _refuse(chosen.of_files, "is for files; WFDB records have --positive and --channel")
    at = chosen.at or next(iter(AT))
    positive = tuple(symbol.strip() for symbol in (chosen.positive or "V").split(","))
    if any(len(symbol) != 1 for symbol in positive):
        raise UserError(
            f"--positive {chosen.positive}: annotation symbols of one character each are needed, "
            "such as V,E"
        )
    source = Records(data, positive, at, chosen.channel or "0", None, "--data", chosen.skip_damaged)
    spec = Spec(at, chosen.length or AT[at], MOST, MOST)
    sizes = source.sizes(spec)
    return source, replace(spec, train=sizes["train"], evaluation=sizes["evaluation"])


def _open_file(data: Path, chosen: DataOptions, console: Console) -> tuple[UserData, Spec]:
    own = own_file(data, chosen)
    with share_progress(console, f"reading {own.path.name}") as on_progress:
        source = UserData(own, on_progress)
    return source, source.spec


def _note(remarks: list[str], data: Path, console: Console) -> None:
    """Prints what a user should know of data before training on them."""
    for text in [*remarks, *([] if sums_file(data) else [UNPROTECTED])]:
        console.print(f"note: {data}: {text}", highlight=False, markup=False, soft_wrap=True)


def _refuse(options: dict[str, object], why: str) -> None:
    given = next((name for name, value in options.items() if value not in (None, False)), None)
    if given:
        raise UserError(f"{given} {why}")
