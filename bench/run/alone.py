"""One implementation by itself: `python -m impl_keras` and its siblings."""

from __future__ import annotations

import contextlib
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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.data.source import DATASETS, EPOCHS
from bench.implementations import load_train
from bench.run.check import check_tensorflow
from bench.run.data_options import data_options, open_one
from bench.run.datasets import prepare_dataset
from bench.run.errors import one_line_errors
from bench.task import LOSSES, PROFILES, Evaluation, Probe, Task, UserError


class ConsoleObserver:
    """Shows a bar of steps, and prints every evaluation."""

    def __init__(self, task: Task, progress: Progress):
        self.progress = progress
        self.epoch = 0
        self.bar = progress.add_task("step", total=task.epochs * task.steps_per_epoch, loss="")

    def begin(self) -> None:
        self.progress.reset(self.bar)

    def step(self, loss: float, steps: int = 1) -> None:
        self.progress.update(self.bar, advance=steps, loss=f"loss {loss:.4f}")

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        self.epoch += 1
        self.progress.console.print(f"epoch {self.epoch}: {asdict(evaluation)}", soft_wrap=True)


def main(module: str) -> None:
    """The command line of an implementation; see `command`."""
    with one_line_errors():
        command.main(prog_name=f"python -m {module}", standalone_mode=False, obj=module)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--dataset", "dataset_name", type=click.Choice(list(DATASETS)), default="small", show_default=True,
              help="Samples of 130 or of 60,000 values.")
@click.option("--loss", type=click.Choice(list(LOSSES)), default="logits", show_default=True,
              help="; ".join(f"{name}: {meaning}" for name, meaning in LOSSES.items()) + ".")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="default", show_default=True,
              help="; ".join(f"{name}: {meaning}" for name, meaning in PROFILES.items()) + ".")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N",
              help=f"[default: {', '.join(f'{count} on {name}' for name, count in EPOCHS.items())}]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Draws the initial weights and the order of samples.")
@data_options
@click.option("--model-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep the checkpoints there, in an empty folder.  [default: a temporary folder, removed at the end]")
@click.option("--tensorboard", is_flag=True,
              help="Write loss, accuracy and the histograms of all variables and gradients for TensorBoard, to the "
                   "model directory.  [then by default: runs/...]")
@click.pass_obj
def command(module, dataset_name, loss, profile, epochs, seed, chosen, model_dir, tensorboard) -> None:
    """Train the standard network with this implementation, and evaluate it after every epoch.

    Each evaluation is printed: accuracy, loss, true and false positives and negatives, and the global step.
    """
    check_tensorflow(needs_estimator=module == "impl_estimator")
    if tensorboard and profile == "tuned":
        raise UserError("--tensorboard: the tuned profile writes no summaries, they are part of what it saves")
    console = Console()
    source, spec = open_one(chosen, dataset_name, console)
    if tensorboard and model_dir is None:
        model_dir = Path("runs", f"{module}-{spec.name}-{loss}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}")
    with _folder(model_dir) as folder:
        dataset = prepare_dataset(source, spec, console)
        with console.status("loading TensorFlow ..."):
            _import_tensorflow_quietly()
            train = load_train(module, profile)
        task = Task(dataset, loss, seed, epochs or EPOCHS[spec.size], folder, summaries=tensorboard)
        with _progress(console) as progress:
            observer = ConsoleObserver(task, progress)
            try:
                train(task, observer)
            except KeyboardInterrupt:
                progress.stop()
                kept = f"; checkpoints are in {folder}" if model_dir else ""
                print(f"interrupted after {observer.epoch} whole epochs{kept}", file=sys.stderr)
                sys.exit(130)
    if model_dir:
        console.print(f"checkpoints{' and summaries' if tensorboard else ''}: {model_dir}", highlight=False)


def _import_tensorflow_quietly() -> None:
    """Keeps TensorFlow's remarks out of the terminal: all while it is imported, its errors excepted later on."""
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
def _folder(model_dir: Path | None) -> Iterator[Path]:
    """The folder asked for, made and found empty, or a temporary one."""
    if model_dir is None:
        with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
            yield Path(folder)
        return
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        occupied = any(model_dir.iterdir())
    except OSError as error:
        raise UserError(f"--model-dir {model_dir}: cannot be used ({error.strerror})") from error
    if occupied:
        raise UserError(f"--model-dir {model_dir}: is not empty; training would go on from, or overwrite, what is there")
    yield model_dir


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(),
                    TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[loss]}"),
                    console=console, refresh_per_second=4, transient=True)
