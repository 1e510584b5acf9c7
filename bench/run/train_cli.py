"""Trains one implementation alone: `python -m impl_keras` and its siblings."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bench.data.source import DATASETS, EPOCHS
from bench.implementations import CLUSTER, load_train
from bench.process.reason import one_line
from bench.run.check import check_tensorflow
from bench.run.data_options import data_options, open_one
from bench.run.datasets import prepare_dataset
from bench.run.errors import one_line_errors
from bench.run.joining import check_roles, claim, read_cluster
from bench.run.members import parameter_servers
from bench.run.quantities import Duration
from bench.task import BATCH_SIZE, OUTPUTS, PROFILES, Evaluation, Probe, Task, UserError


class ConsoleObserver:
    """Shows a bar of steps, and prints every evaluation."""

    def __init__(self, task: Task, progress: Progress):
        self.task = task
        self.progress = progress
        self.epoch = 0
        self.bar = progress.add_task("step", total=task.epochs * task.steps_per_epoch, loss="")

    def begin(self) -> None:
        self.progress.reset(self.bar)

    def step(self, loss: float, steps: int = 1) -> None:
        self.progress.update(self.bar, advance=steps, loss=f"loss {loss:.4f}")

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        self.epoch = evaluation.global_step // self.task.steps_per_epoch
        # A training that goes on from a checkpoint has steps behind it.
        self.progress.update(self.bar, completed=evaluation.global_step)
        self.progress.console.print(f"epoch {self.epoch}: {asdict(evaluation)}", soft_wrap=True)


def main(module: str) -> None:
    """Runs the command line of an implementation; see `command`."""
    with one_line_errors():
        command.main(prog_name=f"python -m {module}", standalone_mode=False, obj=module)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--dataset",
    "dataset_name",
    type=click.Choice(list(DATASETS)),
    default="small",
    show_default=True,
    help="Samples of 130 or of 60,000 values.",
)
@click.option(
    "--outputs",
    type=click.Choice(list(OUTPUTS)),
    default="logits",
    show_default=True,
    help="; ".join(f"{name}: {meaning}" for name, meaning in OUTPUTS.items()) + ".",
)
@click.option(
    "--profile",
    type=click.Choice([*PROFILES, CLUSTER]),
    help="; ".join(f"{name}: {meaning}" for name, meaning in PROFILES.items())
    + f"; {CLUSTER}: together with the members that TF_CONFIG names, or on all GPUs of this "
    f"machine.  [default: default, or {CLUSTER} if TF_CONFIG is set]",
)
@click.option(
    "--global-batch",
    type=click.IntRange(min=1),
    metavar="B",
    help=f"With {CLUSTER}: batch of all workers together.  [default: {BATCH_SIZE} a worker]",
)
@click.option(
    "--peer-timeout",
    type=Duration(),
    default="1m",
    show_default=True,
    metavar="TIME",
    help=f"With {CLUSTER}: how long members wait for one that has not come, or does not answer: "
    "90s, 10m.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"[default: {', '.join(f'{count} on {name}' for name, count in EPOCHS.items())}]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Draws the initial weights and the order of samples.",
)
@data_options
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the checkpoints there, in an empty folder. With "
    f"{CLUSTER}, all members must see the folder, and go on from its last checkpoint.  [default: a "
    "temporary folder, removed at the end]",
)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write loss, accuracy and the histograms of all variables and gradients for TensorBoard, "
    "to the model directory.  [default directory: runs/...]",
)
@click.pass_obj
def command(
    module,
    dataset_name,
    outputs,
    profile,
    global_batch,
    peer_timeout,
    epochs,
    seed,
    chosen,
    model_dir,
    tensorboard,
) -> None:
    """Train the standard network with this implementation, and evaluate it after every epoch.

    Prints each evaluation: accuracy, loss, true and false positives and negatives, global step.
    """
    check_tensorflow(needs_estimator=module == "impl_estimator")
    cluster = read_cluster()
    profile = profile or (CLUSTER if cluster else "default")
    if tensorboard and profile != "default":
        raise UserError(f"--tensorboard: the {profile} profile writes no summaries")
    if cluster and profile != CLUSTER:
        raise UserError(
            f"--profile {profile}: TF_CONFIG is set, and names a cluster to join; unset it to "
            "train alone"
        )
    if global_batch and profile != CLUSTER:
        raise UserError(f"--global-batch is for --profile {CLUSTER}")
    if cluster and model_dir is None:
        raise UserError("--model-dir: a cluster needs a folder that all members see")
    console = Console()
    source, spec = open_one(chosen, dataset_name, console)
    if tensorboard and model_dir is None:
        model_dir = Path(
            "runs", f"{module}-{spec.name}-{outputs}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
        )
    with _folder(model_dir, goes_on=profile == CLUSTER) as folder:
        with console.status("loading TensorFlow ..."):
            _import_tensorflow_quietly()
            train = load_train(module, profile)
        workers = 1
        if profile == CLUSTER:
            check_roles(cluster, module, parameter_servers(module))
            workers = cluster.workers if cluster else _gpus()
        dataset = prepare_dataset(source, spec, console)
        task = Task(
            dataset,
            outputs,
            seed,
            epochs or EPOCHS[spec.size],
            folder,
            summaries=tensorboard,
            batch_size=global_batch or BATCH_SIZE * workers,
            peer_timeout_s=math.ceil(peer_timeout),
        )
        if profile == CLUSTER:
            claim(folder, module, task)
        if cluster:
            console.print(
                f"{cluster.member} of a cluster of {workers} workers, which wait "
                f"{task.peer_timeout_s} s for each other",
                highlight=False,
                soft_wrap=True,
            )
        with _progress(console) as progress:
            observer = ConsoleObserver(task, progress)
            try:
                train(task, observer)
            except KeyboardInterrupt:
                kept = f"; checkpoints are in {folder}" if model_dir else ""
                _end(
                    progress,
                    f"interrupted after {observer.epoch} whole epochs{kept}",
                    130,
                    at_once=bool(cluster),
                )
            except Exception as error:
                if not cluster:
                    raise
                if isinstance(error, UserError):
                    _end(progress, f"error: {' '.join(str(error).split())}", 2, at_once=True)
                _end(
                    progress,
                    f"error: the cluster failed ({one_line(error)}); start all members again to go "
                    f"on from the last checkpoint in {folder}",
                    1,
                    at_once=True,
                )
    if model_dir:
        console.print(
            f"checkpoints{' and summaries' if tensorboard else ''}: {model_dir}", highlight=False
        )
    if cluster:
        sys.stdout.flush()
        os._exit(0)  # before TensorFlow complains of members that have ended first


def _end(progress: Progress, message: str, code: int, at_once: bool) -> None:
    """Ends the program. A member of a cluster ends at once: freeing its sessions would wait for
    members that have died."""
    progress.stop()
    print(message, file=sys.stderr, flush=True)
    os._exit(code) if at_once else sys.exit(code)


def _gpus() -> int:
    """Returns the number of replicas of a mirrored training: one for each GPU, or one on the
    CPU."""
    import tensorflow as tf

    return len(tf.config.list_logical_devices("GPU")) or 1


def _import_tensorflow_quietly() -> None:
    """Keeps TensorFlow's messages out of the terminal: all while it is imported, and later all but
    errors."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", category=UserWarning)
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow as tf
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
    tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _folder(model_dir: Path | None, goes_on: bool) -> Iterator[Path]:
    """Yields the folder for checkpoints: `model_dir`, or a temporary one. `model_dir` must be empty
    unless the training `goes_on`."""
    if model_dir is None:
        with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
            yield Path(folder)
        return
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        occupied = any(model_dir.iterdir())
    except OSError as error:
        raise UserError(f"--model-dir {model_dir}: cannot be used ({error.strerror})") from error
    if occupied and not goes_on:
        raise UserError(
            f"--model-dir {model_dir}: is not empty; training would go on from, or overwrite, what "
            "is there"
        )
    yield model_dir


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=console,
        refresh_per_second=4,
        transient=True,
    )
