"""Without a reference: a port is trained and watched in a process of its own."""

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
TIMEOUT_S = 600.0
WATCHED = 0.9
"""Share of the timeout after which a program is stopped and judged by what was seen of it."""


@dataclass(frozen=True)
class DiagnosisSetting:
    """What a port is trained on. `batch` is a file for ports that are functions, and `steps` is theirs; the others choose what
    modules of the implementation contract train."""

    batch: Path | None = None
    dataset: str = "small"
    outputs: str = "logits"
    source: Source = Synthetic()
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
    """Trains a port named as for `bench.parity.compare` and says what is wrong with it.

    Raises:
        UserError: it cannot be used.
        bench.parity.remote_port.PortError: it raised an exception of its own before it trained.
    """
    began = time.monotonic()
    given = read_inputs(setting.batch) if setting.batch else None
    with with_forkserver(), RemotePort("port", port, setting.timeout) as side:
        on_stage("loading")
        kind = side("load")
        on_stage("training")
        diagnosis = side.apply_to_target(_examine, *_arguments(side, kind, port, setting, given))
    return with_lines(replace(diagnosis, seconds=time.monotonic() - began), port)


def _arguments(
    side: RemotePort, kind: str, port: str, setting: DiagnosisSetting, given: Inputs | None
) -> tuple:
    """Returns what the examination of a kind of port is given."""
    if kind == "contract":
        return (_task(setting),)
    if kind == "program":
        return (WATCHED * setting.timeout,)
    return given or _declared(side, port), setting.steps


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
    spec = setting.spec or DATASETS[setting.dataset]
    dataset = open_dataset(setting.source, spec) or make_dataset(setting.source, spec)
    return Task(
        dataset, setting.outputs, setting.seed, setting.epochs or EPOCHS[spec.size], Path(".")
    )


def _declared(side: RemotePort, port: str) -> Inputs:
    spec = side("input_spec")
    if spec is None:
        raise UserError(
            f"{port} declares no input shapes: give --batch FILE.npz with an array 'labels' and one for every feature"
        )
    return draw_inputs(spec)
