"""The verbs that measure, and those that show results: `all`, `run`, `report`, `sweep`,
`compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from bench.cli.running import epochs_of, run_and_show, show_report
from bench.data.source import DATASETS, EPOCHS
from bench.run.data_options import data_options
from bench.run.quantities import Duration, MemorySize, Numbers, Percentage
from bench.task import BATCH_SIZE, OUTPUTS, PROFILES, UserError


def grid_options(command):
    """Adds the options of `all` and `run` to a command."""
    options = [
        click.option(
            "--impl",
            "implementations",
            multiple=True,
            metavar="NAME",
            help="Implementation: lowlevel, estimator, keras, or any importable module with "
            "train(task, observer); its code is run. Repeat for several.  [default: our three]",
        ),
        click.option(
            "--dataset",
            "datasets",
            multiple=True,
            type=click.Choice(list(DATASETS)),
            help="Samples of 130 or of 60,000 values. Repeat for both.  [default: both]",
        ),
        click.option(
            "--outputs",
            "outputs",
            multiple=True,
            type=click.Choice(list(OUTPUTS)),
            help="; ".join(f"{name}: {meaning}" for name, meaning in OUTPUTS.items())
            + ". Repeat for both.  [default: both]",
        ),
        click.option(
            "--seeds",
            type=click.IntRange(min=1),
            metavar="N",
            help="Seeds 0 to N-1. A seed draws weights and sample order.  [default: 3; quick: 1]",
        ),
        click.option(
            "--epochs",
            type=click.IntRange(min=1),
            metavar="N",
            help="Epochs of every cell.  [default: "
            + "".join(f"{count} on {name}, " for name, count in EPOCHS.items())
            + "quick: 3]",
        ),
        click.option(
            "--profile",
            type=click.Choice([*PROFILES, "both"]),
            default="both",
            show_default=True,
            help="; ".join(f"{name}: {meaning}" for name, meaning in PROFILES.items())
            + ". With both, tuned is trained with the first outputs and seed only; throughput is "
            "measured for both.",
        ),
        click.option(
            "--precision",
            type=Percentage(),
            metavar="P",
            help="Go on with rounds of throughput until every ratio is known to this percentage "
            "(half the width of its 95 % interval), for example 2%.  [default: a fixed number of "
            "rounds]",
        ),
        click.option(
            "--budget",
            type=Duration(),
            default="10m",
            show_default=True,
            metavar="TIME",
            help="With --precision: the longest time for one dataset: 90s, 10m, 1h.",
        ),
        click.option(
            "--cell-timeout",
            type=Duration(),
            default="1h",
            show_default=True,
            metavar="TIME",
            help="End a cell that takes longer, and a training in the rounds that is silent for "
            "longer: 90s, 10m, 1h. The others go on.",
        ),
        click.option(
            "--cell-memory",
            type=MemorySize(),
            metavar="SIZE",
            help="End a cell that takes more memory, with all processes that it starts: 512MiB, "
            "8GiB.  [default: 90% of the machine's]",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            metavar="DIR",
            default=Path("results"),
            show_default=True,
            help="Where results go.",
        ),
        click.option(
            "--quick",
            is_flag=True,
            help="Few samples, epochs and rounds: proves an installation in a "
            "few minutes; its figures mean nothing.",
        ),
    ]
    command = data_options(command)
    for option in reversed(options):
        command = option(command)
    return command


@click.command("all")
@grid_options
@click.option(
    "--fresh", is_flag=True, help="Start over: keep nothing that an earlier run measured."
)
def all_command(**options) -> None:
    """What does each API cost? Measure it, and write the report.

    First compares each implementation with the first one: is it the same network? Then every cell
    (implementation x dataset x outputs x seed) trains in its own process. Results: results.md and
    report.html to read; results.csv, curves.csv and curves.png to use; cells/, steps/, outputs/,
    traces/ and logs/ have the raw measurements.

    After Ctrl-C, a crash or a power cut, the same command goes on where it stopped. It keeps
    finished cells that have the same data, code, settings and TensorFlow; it removes all else that
    a run left in --out. Ctrl-C once ends with the tables so far; Ctrl-C twice ends at once.

    The exit code is 0 if every cell is ok, 1 if one is not, 2 if the run could not start or write,
    130 after Ctrl-C.
    """
    _measure(keep_others=False, **options)


@click.command("run")
@grid_options
def run_command(**options) -> None:
    """Measure part of the table.

    Other rows that are already in --out stay if they come from the same data and epochs.

    Example: python -m bench run --impl keras --dataset large --outputs activated
    """
    _measure(keep_others=True, fresh=False, **options)


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def report_command(folder) -> None:
    """Make the report of a result folder again. Reads its raw files."""
    from bench.run.check import check_run_folder

    check_run_folder(folder)
    show_report(folder, Console())


@click.command("sweep")
@click.option(
    "--batch",
    "batches",
    type=Numbers(),
    default=(),
    metavar="N,N,...",
    help="Batch sizes, for example 8,32,128,512.",
)
@click.option(
    "--length",
    "lengths",
    type=Numbers(),
    default=(),
    metavar="N,N,...",
    help="Sample lengths, for example 130,1300,13000,60000,600000.",
)
@click.option(
    "--impl",
    "implementations",
    multiple=True,
    metavar="NAME",
    help="As of 'all'.  [default: our three]",
)
@click.option(
    "--profile",
    type=click.Choice([*PROFILES, "both"]),
    default="both",
    show_default=True,
    help="As of 'all'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("results/sweep"),
    show_default=True,
    help="Where results go: sweep.html to look at, sweep.md and sweep.csv.",
)
def sweep_command(batches, lengths, implementations, profile, out) -> None:
    """From which size on does the API stop mattering?

    Measures throughput, the parts of a step and memory against batch size and sample length.

    The samples are noise. Batch sizes are measured at a length of 130, lengths at a batch of 32.
    Each API gets a cost model: a fixed cost per step, and a cost per value. Sizes that would not
    fit into memory are skipped; the estimate is shown.

    \b
    python -m bench sweep --batch 8,32,128,512
    python -m bench sweep --length 130,1300,13000,60000,600000
    """
    from bench.implementations import IMPLEMENTATIONS, resolve_implementations
    from bench.process.forkserver import with_forkserver
    from bench.report.sweep import write_sweep
    from bench.run.check import check_tensorflow, check_writable
    from bench.run.lock import held
    from bench.run.sweep import run_sweep, sizes_of
    from bench.run.variants import trained_variants
    from bench.text_tables import as_text

    if not batches and not lengths:
        raise UserError(
            "nothing to sweep: give --batch 8,32,128,512 or --length 130,1300,13000,60000"
        )
    modules = resolve_implementations(implementations or list(IMPLEMENTATIONS))
    check_tensorflow(needs_estimator="impl_estimator" in modules.values())
    check_writable(out)
    console = Console()
    variants = trained_variants(modules, list(PROFILES) if profile == "both" else [profile])
    with held(out), with_forkserver():
        run_sweep(
            sizes_of(batches, lengths, BATCH_SIZE, DATASETS["small"].length), variants, out, console
        )
    report = write_sweep(out)
    for table in (report.sizes, report.laws):
        if len(table):
            print(f"\n{as_text(table, 'simple')}")
    print("\n" + "\n".join(f"- {text}" for text in report.texts))
    console.print(f"\n{out / 'sweep.html'} has the plot.", highlight=False)


@click.command("compare")
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
@click.option(
    "--fail-over",
    type=Percentage(),
    default="10%",
    show_default=True,
    metavar="P",
    help="Exit with 1 if something is slower by more than this, with its whole 95 % interval.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Compare even if networks, data or machines are different.",
)
def compare_command(before, after, fail_over, force) -> None:
    """Is the run in folder B slower than the run in folder A? Cell by cell, for use in CI.

    The exit code is 0 if nothing is slower beyond --fail-over, 1 if something is, 2 if the two
    cannot be compared.
    """
    from bench.report.compare import compare_runs
    from bench.run.check import check_run_folder
    from bench.text_tables import as_text

    check_run_folder(before)
    check_run_folder(after)
    comparison = compare_runs(before, after, fail_over)
    if comparison.reasons and not force:
        raise UserError(
            f"{'; '.join(comparison.reasons)}. Give --force to compare them all the same"
        )
    for note in [
        *(f"compared in spite of {reason}" for reason in comparison.reasons),
        *comparison.missing,
    ]:
        print(f"- {note}")
    for title, table in (
        ("Throughput", comparison.table),
        ("Cells whose accuracy changed", comparison.accuracy),
    ):
        if len(table):
            print(f"\n{title}\n\n{as_text(table, 'simple')}")
    if not len(comparison.table):
        raise UserError("the two have no throughput in common")
    print(f"\nslower by more than {fail_over:.0%}: {', '.join(comparison.slower) or 'nothing'}")
    sys.exit(1 if comparison.slower else 0)


def _measure(
    implementations,
    datasets,
    outputs,
    seeds,
    epochs,
    chosen,
    profile,
    precision,
    budget,
    cell_timeout,
    cell_memory,
    out,
    quick,
    keep_others,
    fresh,
) -> None:
    from bench.implementations import IMPLEMENTATIONS, resolve_implementations
    from bench.run.limits import Limits
    from bench.run.plan import plan_of
    from bench.run.runner import Grid
    from bench.run.variants import variants_of

    modules = resolve_implementations(implementations or list(IMPLEMENTATIONS))
    profiles = list(PROFILES) if profile == "both" else [profile]

    def grid_of(source, specs) -> Grid:
        return Grid(
            _cells(
                modules,
                profiles,
                list(specs),
                outputs or list(OUTPUTS),
                range(seeds or (1 if quick else 3)),
            ),
            specs,
            epochs_of(specs, epochs, quick),
            source,
            variants_of(modules, profiles),
            {name: plan_of(spec.size, quick, precision, budget) for name, spec in specs.items()},
            precision,
            quick,
            Limits.of(cell_timeout, cell_memory),
        )

    run_and_show(grid_of, modules, chosen, datasets, out, quick, keep_others, fresh)


def _cells(modules, profiles, datasets, outputs, seeds) -> list:
    """Returns all cells of the first profile. Other profiles end the same: of these, returns the
    cells of the first outputs and seed."""
    from bench.run.cells import interleaved

    first, *others = profiles
    return [
        *interleaved(modules, first, datasets, outputs, seeds),
        *(
            cell
            for profile in others
            for cell in interleaved(modules, profile, datasets, outputs[:1], seeds[:1])
        ),
    ]
