"""One port, trained and watched in its own process, and what is found wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.diagnose.diagnose_training import judged, training_record_of
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.outputs import FinalState, explain_outputs, state_of
from bench.diagnose.program import ProgramWatch, watch_program
from bench.diagnose.rules.data import scale_of
from bench.diagnose.rules.network import classes_of_outputs
from bench.diagnose.training_record import GivenData, TrainingRecord
from bench.diagnose.training_watch import STRIDE, TrainingWatch, port_after, watch_training
from bench.parity.inputs import Inputs, dataset_inputs, evaluation_batches
from bench.parity.port import Port, PortBatch, Weights
from bench.parity.ports.capture import HEAD, digest, session_port
from bench.parity.ports.target import in_fresh_folder
from bench.parity.result import Explanation
from bench.parity.rounding import same_bits
from bench.process.reason import one_line
from bench.task import Task, Trained, UserError

FILE_SAMPLES = 64


def examine_contract(target, task: Task) -> Diagnosis:
    """A module with `train(task, observer)`: trained as `task` says."""
    inputs = dataset_inputs(task.dataset, task.batch_size, FILE_SAMPLES // task.batch_size)
    probe = PortBatch({"signal": task.dataset.probe.signal}, task.dataset.probe.labels)
    watcher = TrainingWatch(probe=probe)
    trained, error = None, ""
    try:
        trained = watch_training(target.function, in_fresh_folder(task), watcher)
    except UserError:
        raise
    except (
        Exception
    ) as problem:  # what it raised may be what is wrong: a NaN that Estimator's hook refuses
        if watcher.port is None:
            raise
        error = one_line(problem)
    if watcher.port is None:
        return _by_outputs(target.name, watcher, trained, task)
    slowed = watcher.slowed
    watcher.last()
    port = port_after(watcher, task)
    outputs, labels = _predicted(trained, task)
    given = _given(task, inputs, watcher.weights[0] if watcher.weights else {})
    watched = training_record_of(watcher, port, outputs, labels, given)
    if not error:
        watched = replace(watched, evaluated=_evaluated(watcher, port, task, watched))
    return replace(
        judged(target.name, watched, port, inputs.batches[0], watcher, error),
        slowed=slowed,
        ended=_ended(watcher, outputs, labels),
    )


def _predicted(trained: Trained | None, task: Task) -> tuple[np.ndarray | None, np.ndarray]:
    """The outputs that a training returned, and their labels: those of the whole evaluation split, or of its full batches."""
    labels = task.dataset.evaluation_labels
    if trained is None:
        return None, labels
    if len(trained.outputs) not in (len(labels), len(labels) // task.batch_size * task.batch_size):
        raise UserError(
            f"it returned outputs of {len(trained.outputs)} samples; the evaluation split has {len(labels)}"
        )
    return trained.outputs, labels[: len(trained.outputs)]


def _by_outputs(name: str, watcher: TrainingWatch, trained, task: Task) -> Diagnosis:
    """A training whose steps do not go through the doors one by one, as a loop within one call: what its outputs say."""
    last = watcher.evaluations[-1]
    ended = _ended(watcher, *_predicted(trained, task))
    found = explain_outputs(ended)
    facts = [
        "its steps could not be watched one by one: judged by its outputs",
        f"accuracy {last['accuracy']:.3f}, evaluation loss {last['loss']:.5g}",
    ]
    return Diagnosis(name, state_of(ended), found, facts, [], watcher.losses, ended)


def _ended(
    watcher: TrainingWatch, outputs: np.ndarray | None, labels: np.ndarray
) -> FinalState | None:
    if not watcher.evaluations or outputs is None:
        return None
    last = watcher.evaluations[-1]
    norm = watcher.looks[-1].gradient_norm if watcher.looks else None
    return FinalState(
        outputs, labels, last["loss"], last["accuracy"], norm, np.array(watcher.losses)
    )


def examine_function(target, inputs: Inputs, steps: int) -> Diagnosis:
    """A function's port: trained step by step on given batches."""
    port = target.port(inputs.batches[0], None)
    watcher = TrainingWatch(probe=inputs.batches[0])
    watcher.begin()
    port.set_weights(port.initial_weights(1)[0])
    watcher.see(port, None)
    for step in range(steps):
        batch = inputs.batches[step % len(inputs.batches)]
        watcher.kept.keep(next(iter(batch.features.values())), batch.labels)
        watcher.step(port.step(batch, step))
    watcher.last()
    watched = replace(training_record_of(watcher, port, None, None, None), in_order=True)
    return judged(target.name, watched, port, inputs.batches[0], watcher, "", inputs.batches)


def examine_program(target, most_s: float) -> Diagnosis:
    """A program that trains by itself: run to its end, or for `most_s` seconds."""
    watcher, error = ProgramWatch(most_s=most_s), ""
    try:
        watch_program(target.function, watcher)
    except UserError:
        raise
    except Exception as problem:
        error = one_line(problem)
        if not watcher.losses:
            found = _unfit(watcher)
            if not found:
                raise
            return Diagnosis(target.name, "not trained", found, [f"it ended with {error}"], [], [])
    if not watcher.losses:
        raise UserError(
            f"its training cannot be watched: {watcher.unseen}"
            if watcher.unseen
            else "its training was not seen: looked for are Model.fit, Estimator.train, and Session.run of an update. "
            "For a loop of one's own, compile its model with its loss and its optimizer in a function that returns it, and "
            "name that: FILE.py:FUNCTION"
        )
    watcher.last()
    port = (
        watcher.port
        if watcher.model is not None
        else session_port(watcher.network, watcher.weights[0], watcher.evaluating)
    )
    watched = replace(
        training_record_of(watcher, port, None, None, None),
        evaluates=watcher.model is not None or bool(watcher.evaluating),
    )
    return judged(target.name, watched, port, watcher.examined[0], watcher, error, watcher.examined)


def _unfit(watcher: ProgramWatch) -> list[Explanation]:
    """What is wrong with outputs for labels that let no step be taken."""
    if watcher.model is None or watcher.port is None:
        return []
    probe = watcher.probe
    watcher.kept.keep(next(iter(probe.features.values())), probe.labels)
    outputs = watcher.port.forward(probe.features, False, 0)[-1].value
    return classes_of_outputs(
        TrainingRecord(np.array([]), watcher.kept.received(watcher), [], [], outputs, probe.labels)
    )


def _given(task: Task, inputs: Inputs, began: Weights) -> GivenData:
    signal = np.concatenate([batch.features["signal"] for batch in inputs.batches])
    kernels = {
        name: any(same_bits(value, other) for other in began.values())
        for name, value in task.initial_weights().items()
        if value.ndim > 1
    }
    return GivenData(
        task.dataset.train.samples,
        task.dataset.evaluation.samples,
        task.batch_size,
        signal[:, :HEAD],
        [digest(row, STRIDE) for row in signal],
        kernels,
    )


def _evaluated(
    watcher: TrainingWatch, port: Port, task: Task, watched: TrainingRecord
) -> tuple[float, float, float] | None:
    """The loss of the last evaluation as reported, and as the port has it for features of the file and for scaled ones."""
    scale = scale_of(watched)
    if not watcher.evaluations or scale is None:
        return None
    port.set_weights({variable.name: watcher.ended[variable.name] for variable in port.variables()})
    batches = evaluation_batches(task.dataset, task.batch_size)
    found = []
    for factor in (1.0, scale):
        scaled = [
            PortBatch({"signal": (batch.features["signal"] * np.float32(factor))}, batch.labels)
            for batch in batches
        ]
        found.append(
            np.average(
                [port.loss(batch, False, 0).value for batch in scaled],
                weights=[len(batch) for batch in scaled],
            )
        )
    return watcher.evaluations[-1]["loss"], float(found[0]), float(found[1])
