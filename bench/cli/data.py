"""The verbs about samples: `data` and `data inspect`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from bench.data.source import DATASETS
from bench.run.data_options import data_options
from bench.task import UserError


@click.group("data", invoke_without_command=True)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=click.Choice(list(DATASETS)),
    help="  [default: both]",
)
@data_options
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    default=Path("samples.png"),
    show_default=True,
    help="Where the picture goes.",
)
@click.pass_context
def data_command(context, datasets, chosen, picture) -> None:
    """Make the datasets, list them, and draw samples.

    Datasets that exist already are not made again. All cores share the work; if it is stopped, the
    same command goes on where it was. The picture has two samples of each class. 'data inspect
    FILE' looks into a file.
    """
    if context.invoked_subcommand is not None:
        return
    from bench.data.picture import draw_samples
    from bench.run.check import check_tensorflow, check_writable
    from bench.run.data_options import open_source
    from bench.run.datasets import prepare_dataset

    console = Console()
    check_tensorflow(needs_estimator=False)
    check_writable(picture.parent)
    source, specs = open_source(chosen, datasets, False, console)
    prepared = [prepare_dataset(source, spec, console) for spec in specs.values()]
    for dataset in prepared:
        console.print(
            f"{dataset.name}: {dataset.length:,} values a sample, {dataset.train.samples:,} for "
            f"training, {dataset.evaluation.samples:,} for evaluation, {source.name}, in "
            f"{Path(dataset.train.files[0]).parent}",
            highlight=False,
            soft_wrap=True,
        )
    draw_samples(prepared, picture, own=chosen.data is not None)
    console.print(f"two samples of each class: {picture}", highlight=False)


@data_command.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect_command(file, chosen, as_json) -> None:
    """What is in FILE, and what will happen if it is trained on?

    Shows count, length, range, classes, duplicates and constant samples. Tells whether the scale of
    the values and the length of the samples make it likely that a port with activated outputs
    freezes. FILE is what --data takes: .npz, .csv, .parquet, a folder of TFRecords or of WFDB
    records.

    \b
    python -m bench data inspect beats.csv
    python -m bench data inspect mitdb --positive V,E --at strips --length 60000
    """
    from bench.report.inspection import as_record, inspection_lines
    from bench.run.inspection import inspect_data

    if chosen.data is not None or chosen.records is not None:
        raise UserError("give FILE alone: --data and --records are for 'all' and its siblings")
    inspection = inspect_data(file, chosen, Console(stderr=True))
    print(json.dumps(as_record(inspection), indent=1) if as_json else inspection_lines(inspection))
