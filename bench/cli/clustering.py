"""The verb that measures on a cluster: `cluster`."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.running import epochs_of, run_and_show
from bench.data.source import DATASETS, EPOCHS
from bench.run.data_options import data_options
from bench.run.quantities import Duration, MemorySize, Numbers
from bench.task import BATCH_SIZE, OUTPUTS

SEEDS, QUICK_SEEDS = 6, 1


@click.command("cluster")
@click.option(
    "--workers",
    type=Numbers(),
    default="2",
    show_default=True,
    metavar="N,N,...",
    help="How many processes train together, for example 2 or 2,4. One process alone is measured, "
    "too.",
)
@click.option(
    "--impl",
    "implementations",
    multiple=True,
    metavar="NAME",
    help="Implementation: lowlevel, estimator, keras, or any importable package with a module "
    "'cluster' that has train(task, observer); its code is run. Repeat for several.  [default: our "
    "three]",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=click.Choice(list(DATASETS)),
    help="Samples of 130 or of 60,000 values. Repeat for both.  [default: both; quick: small]",
)
@click.option(
    "--outputs",
    type=click.Choice(list(OUTPUTS)),
    default="logits",
    show_default=True,
    help="As of 'all'.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Trainings of each, with seeds 0 to N-1.  [default: {SEEDS}, the fewest that give an "
    f"interval; quick: {QUICK_SEEDS}]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Epochs of every training.  [default: "
    + "".join(f"{count} on {name}, " for name, count in EPOCHS.items())
    + "quick: 3]",
)
@click.option(
    "--global-batch",
    type=click.IntRange(min=1),
    metavar="B",
    help=f"Batch of all workers together.  [default: {BATCH_SIZE} per worker]",
)
@data_options
@click.option(
    "--cell-timeout",
    type=Duration(),
    default="1h",
    show_default=True,
    metavar="TIME",
    help="End a training that takes longer: 90s, 10m, 1h. The others go on.",
)
@click.option(
    "--cell-memory",
    type=MemorySize(),
    metavar="SIZE",
    help="End a training whose members together take more memory: 512MiB, 8GiB.  [default: 90% of "
    "the machine's]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("results/cluster"),
    show_default=True,
    help="Where results go.",
)
@click.option(
    "--fresh", is_flag=True, help="Start over: keep nothing that an earlier run measured."
)
@click.option(
    "--quick",
    is_flag=True,
    help="Few samples and epochs: proves that clusters work in a minute or two; its figures mean "
    "nothing.",
)
def cluster_command(
    workers,
    implementations,
    datasets,
    outputs,
    seeds,
    epochs,
    global_batch,
    chosen,
    cell_timeout,
    cell_memory,
    out,
    fresh,
    quick,
) -> None:
    """What does each API's own way to a cluster cost? And is it still the same training?

    Starts a cluster of real processes on this machine, on TensorFlow's own runtime:
    MultiWorkerMirroredStrategy for Keras and Estimator, a parameter server and
    SyncReplicasOptimizer for sessions. For any number of workers, each sample is used once per
    epoch; the chief evaluates. The same trainings with one worker are measured, too.

    On your own machines, 'python -m impl_keras' and its siblings join the cluster that TF_CONFIG
    describes: see docs/scaling.md.

    The exit code is 0 if every training is ok, 1 if one is not, 2 if the run could not start or
    write, 130 after Ctrl-C.
    """
    from bench.implementations import CLUSTER, IMPLEMENTATIONS, resolve_implementations
    from bench.process.group import call_in_child
    from bench.run.cells import cluster_cells
    from bench.run.limits import Limits
    from bench.run.members import parameter_servers
    from bench.run.runner import Grid

    modules = resolve_implementations(implementations or list(IMPLEMENTATIONS), CLUSTER)

    def grid_of(source, specs) -> Grid:
        servers = {
            name: call_in_child(parameter_servers, module) for name, module in modules.items()
        }
        seeded = range(seeds or (QUICK_SEEDS if quick else SEEDS))
        return Grid(
            cluster_cells(
                modules, servers, list(specs), outputs, seeded, sorted({1, *workers}), global_batch
            ),
            specs,
            epochs_of(specs, epochs, quick),
            source,
            [],
            quick=quick,
            limits=Limits.of(cell_timeout, cell_memory),
        )

    names = datasets or (["small"] if quick and chosen.data is None else ())
    run_and_show(grid_of, modules, chosen, names, out, quick, keep_others=False, fresh=fresh)
