"""The verb that compares ports: `parity`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from bench.data.source import DATASETS
from bench.run.progress import stage_progress
from bench.task import OPTIMIZERS, OUTPUTS


@click.command("parity")
@click.argument("reference")
@click.argument("candidate")
@click.option(
    "--batch",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Features and labels for both ports: an array 'labels', and one for every feature.  "
    "[default: drawn from the shapes that a Keras model declares]",
)
@click.option(
    "--map",
    "names",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A JSON object from the reference's variable names to the candidate's. Needed if names, "
    "order and shapes do not tell which belong together.",
)
@click.option(
    "--dataset",
    type=click.Choice(list(DATASETS)),
    default="small",
    show_default=True,
    help="What modules with train(task, observer) train on.",
)
@click.option(
    "--outputs",
    type=click.Choice(list(OUTPUTS)),
    default="logits",
    show_default=True,
    help="What goes into the loss.",
)
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default="adam",
    show_default=True,
    help="; ".join(f"{name}: {meaning}" for name, meaning in OPTIMIZERS.items()) + ".",
)
@click.option(
    "--steps",
    type=click.IntRange(min=3),
    default=50,
    show_default=True,
    metavar="N",
    help="Training steps of the curve.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="For each call to a port.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A result folder of 'all', whose report then has this comparison too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def parity_command(reference, candidate, out, as_json, **setting) -> None:
    """Is CANDIDATE the same network as REFERENCE? Stage by stage, before any training.

    Each is module:object or file.py:object, where the object is a function that returns a compiled
    Keras model, a v1 graph function build(features, labels, training) -> {"loss", "logits",
    "train_op"}, a model_fn, or a function that returns an Estimator; or a module with train(task,
    observer), like impl_lowlevel. No port has to be edited.

    \b
    python -m bench parity impl_lowlevel impl_keras
    python -m bench parity old_graph.py:build new_model.py:make_model --batch batch.npz

    The exit code is 0 if they are the same, 1 if they differ, 2 if they could not be compared.
    """
    from bench.diagnose.explain import explained
    from bench.parity import TIME_SHARES, ComparisonSetting
    from bench.parity.remote_port import PortError
    from bench.report.parity import as_lines
    from bench.report.write import write_report
    from bench.results.comparisons import StoredComparison, write_comparison
    from bench.run.check import check_run_folder, check_tensorflow
    from bench.run.lock import held

    check_tensorflow(needs_estimator=False)
    if out is not None:
        check_run_folder(out)
    try:
        with stage_progress(Console(stderr=True), TIME_SHARES) as on_stage:
            parity = explained(reference, candidate, ComparisonSetting(**setting), on_stage)
    except PortError as error:
        print(error.traceback_text, file=sys.stderr)
        raise
    print(parity.to_json() if as_json else f"\n{as_lines(parity)}")
    if out is not None:
        with held(out):
            write_comparison(out, StoredComparison(candidate, reference, "given", parity))
            write_report(out)
    sys.exit(0 if parity.same else 1)
