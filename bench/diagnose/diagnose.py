"""Diagnosis without a reference: a port is trained and watched in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.source import DATASETS, EPOCHS, Source, Spec
from bench.data.store import make_dataset, open_dataset
from bench.data.synthetic import Synthetic
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.lines import with_lines
from bench.parity.inputs import Inputs, draw_inputs, read_inputs
from bench.parity.remote_port import RemotePort
from bench.process.forkserver import with_forkserver
from bench.task import Task, UserError

if TYPE_CHECKING:
    from bench.parity.ports.target import Target  # imports TensorFlow

STEPS = 300
"""Number of steps for which a port that is a function is trained."""

TIMEOUT_S = 600.0
"""Time that a port has for each answer, in seconds."""

WATCHED = 0.9
"""Share of the timeout after which a program is stopped, and judged by the steps seen so far."""


@dataclass(frozen=True)
class DiagnosisSetting:
    """The data and the length of the training.

    `batch` and `steps` are for ports that are functions. The other fields are for modules of the
    implementation contract.

    Attributes:
        batch: file with a batch of samples.
        dataset: name of a dataset.
        outputs: what the network passes to the loss: `logits` or `activated`.
        source: where the samples come from; synthetic samples if None.
        seed: seed of the training.
        epochs: number of epochs; the dataset's own if None.
        steps: number of steps.
        spec: a dataset that `DATASETS` does not have, used instead of `dataset`.
        timeout: time that the port has for each answer, in seconds.
    """

    batch: Path | None = None
    dataset: str = "small"
    outputs: str = "logits"
    source: Source | None = None
    seed: int = 0
    epochs: int | None = None
    steps: int = STEPS
    spec: Spec | None = None
    timeout: float = TIMEOUT_S


def diagnose(
    port: str,
    setting: DiagnosisSetting = DiagnosisSetting(),
    on_stage: Callable[[str], None] = lambda name: None,
) -> Diagnosis:
    """Trains a port and finds out what is wrong with it.

    Args:
        port: name of the port, as for `bench.parity.compare`.
        setting: the data and the length of the training.
        on_stage: called with the name of every stage that begins.

    Raises:
        UserError: the port cannot be used.
        bench.parity.remote_port.PortError: the port raised an error before it trained.
    """
    began = time.monotonic()
    inputs = read_inputs(setting.batch) if setting.batch else None
    with with_forkserver(), RemotePort("port", port, setting.timeout) as remote:
        on_stage("loading")
        kind = remote("load")
        on_stage("training")
        arguments = _arguments(remote, kind, port, setting, inputs)
        diagnosis = remote.apply_to_target(_examine, *arguments)
    return with_lines(replace(diagnosis, seconds=time.monotonic() - began), port)


def _arguments(
    remote: RemotePort, kind: str, port: str, setting: DiagnosisSetting, inputs: Inputs | None
) -> tuple:
    """Returns the arguments of the examination, for a kind of port."""
    if kind == "contract":
        return (_task(setting),)
    if kind == "program":
        return (WATCHED * setting.timeout,)
    return inputs or _declared(remote, port), setting.steps


def _examine(target: Target, *arguments) -> Diagnosis:
    """Examines a port. Runs in the port's process: the examinations import TensorFlow."""
    from bench.diagnose.in_port_process import (
        examine_contract,
        examine_function,
        examine_program,
    )

    if target.kind == "contract":
        return examine_contract(target, *arguments)
    if target.kind == "program":
        return examine_program(target, *arguments)
    return examine_function(target, *arguments)


def _task(setting: DiagnosisSetting) -> Task:
    spec, source = setting.spec or DATASETS[setting.dataset], setting.source or Synthetic()
    dataset = open_dataset(source, spec) or make_dataset(source, spec)
    return Task(
        dataset, setting.outputs, setting.seed, setting.epochs or EPOCHS[spec.size], Path(".")
    )


def _declared(remote: RemotePort, port: str) -> Inputs:
    """Draws inputs with the shapes that the port declares."""
    spec = remote("input_spec")
    if spec is None:
        raise UserError(
            f"{port} declares no input shapes: give --batch FILE.npz with an array 'labels' and "
            "one array for every feature"
        )
    return draw_inputs(spec)
