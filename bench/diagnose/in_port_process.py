"""The examination of one port in its own process: it is trained, watched and diagnosed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.diagnose.diagnose_training import judge_training, training_record_of
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.outputs import FinalState, explain_outputs, state_of
from bench.diagnose.program import ProgramWatch, watch_program
from bench.diagnose.rules.data import scale_of
from bench.diagnose.rules.network import classes_of_outputs
from bench.diagnose.training_record import ContractData, TrainingRecord
from bench.diagnose.training_watch import STRIDE, TrainingWatch, port_after, watch_training
from bench.parity.inputs import Inputs, dataset_inputs, evaluation_batches
from bench.parity.port import Port, PortBatch, Weights
from bench.parity.ports.capture import HEAD, digest, session_port
from bench.parity.ports.target import Target, in_fresh_folder
from bench.parity.result import Explanation
from bench.parity.rounding import same_bits
from bench.process.reason import one_line
from bench.task import Task, Trained, UserError

FILE_SAMPLES = 64
"""Number of samples of the file whose order and values are compared with those received."""


def examine_contract(target: Target, task: Task) -> Diagnosis:
    """Examines a module with `train(task, observer)`: trains it as `task` says.

    Raises:
        UserError: the port cannot be examined.
    """
    inputs = dataset_inputs(task.dataset, task.batch_size, FILE_SAMPLES // task.batch_size)
    probe = PortBatch({"signal": task.dataset.probe.signal}, task.dataset.probe.labels)
    watch = TrainingWatch()
    trained, error = None, ""
    try:
        trained = watch_training(target.function, in_fresh_folder(task), probe, watch)
    except UserError:
        raise
    except Exception as problem:  # may be the symptom itself, as a NaN that Estimator refuses
        if watch.network is None:
            raise
        error = one_line(problem)
    if watch.network is None:
        return _judge_outputs(target.name, watch, trained, task)
    slowed = watch.slowed
    watch.finish()
    port = port_after(watch, watch.network, task)
    outputs, labels = _predicted(trained, task)
    contract = _contract_data(task, inputs, watch.first_weights[0] if watch.first_weights else {})
    record = training_record_of(watch, port, outputs, labels, contract)
    if not error:
        record = replace(record, evaluated=_evaluated(watch, port, task, record))
    return replace(
        judge_training(target.name, record, port, inputs.batches[0], watch, error),
        slowed=slowed,
        final_state=_final_state(watch, outputs, labels),
    )


def _predicted(trained: Trained | None, task: Task) -> tuple[np.ndarray | None, np.ndarray]:
    """Returns the outputs that a training returned, and their labels.

    They are those of the whole evaluation split, or of its full batches.
    """
    labels = task.dataset.evaluation_labels
    if trained is None:
        return None, labels
    if len(trained.outputs) not in (len(labels), len(labels) // task.batch_size * task.batch_size):
        raise UserError(
            f"the port returned outputs of {len(trained.outputs)} samples; the evaluation split "
            f"has {len(labels)}"
        )
    return trained.outputs, labels[: len(trained.outputs)]


def _judge_outputs(
    name: str, watch: TrainingWatch, trained: Trained | None, task: Task
) -> Diagnosis:
    """Judges a training by its outputs, because its steps could not be watched one by one.

    A tuned loop, for example, runs all steps in one call.
    """
    final = _final_state(watch, *_predicted(trained, task))
    if final is None:
        raise UserError(
            "the training cannot be judged: its steps could not be watched, and it returned no "
            "outputs or reported no evaluation"
        )
    notes = [
        "the steps could not be watched one by one: the outputs alone were judged",
        f"the accuracy is {final.accuracy:.3f}, the evaluation loss {final.loss:.5g}",
    ]
    found = explain_outputs(final)
    return Diagnosis(name, state_of(final), found, notes, [], watch.losses, final)


def _final_state(
    watch: TrainingWatch, outputs: np.ndarray | None, labels: np.ndarray
) -> FinalState | None:
    """Returns how a training ended; None if it reported no evaluation or returned no outputs."""
    if not watch.evaluations or outputs is None:
        return None
    last = watch.evaluations[-1]
    norm = watch.snapshots[-1].gradient_norm if watch.snapshots else None
    return FinalState(outputs, labels, last["loss"], last["accuracy"], norm, np.array(watch.losses))


def examine_function(target: Target, inputs: Inputs, steps: int) -> Diagnosis:
    """Examines a port that is a function: trains it for `steps` steps on batches of `inputs`."""
    port = target.port(inputs.batches[0], None)
    watch = TrainingWatch()
    watch.begin()
    port.set_weights(port.initial_weights(1)[0])
    watch.see(port, inputs.batches[0], None)
    for step in range(steps):
        batch = inputs.batches[step % len(inputs.batches)]
        watch.received.keep(next(iter(batch.features.values())), batch.labels)
        watch.step(port.step(batch, step))
    watch.finish()
    record = replace(training_record_of(watch, port, None, None, None), fixed_order=True)
    return judge_training(target.name, record, port, inputs.batches[0], watch, "", inputs.batches)


def examine_program(target: Target, longest_s: float) -> Diagnosis:
    """Examines a program that trains by itself: runs it to its end, or for `longest_s` seconds.

    Raises:
        UserError: its training cannot be watched, or was not seen.
    """
    watch, error = ProgramWatch(longest_s), ""
    try:
        watch_program(target.function, watch)
    except UserError:
        raise
    except Exception as problem:
        error = one_line(problem)
        if not watch.losses:
            found = _outputs_refused(watch)
            if not found:
                raise
            notes = [f"the program ended with {error}"]
            return Diagnosis(target.name, "not trained", found, notes, [], [])
    if watch.network is None or not watch.losses:
        raise UserError(_why_unseen(watch))
    watch.finish()
    training = watch.session_training
    port = (
        watch.network.port
        if training is None
        else session_port(training.network, watch.first_weights[0], watch.evaluating)
    )
    record = replace(
        training_record_of(watch, port, None, None, None),
        evaluation_known=training is None or bool(watch.evaluating),
    )
    return judge_training(
        target.name, record, port, watch.examined[0], watch, error, watch.examined
    )


def _why_unseen(watch: ProgramWatch) -> str:
    """Returns the message of a program whose training was not watched."""
    if watch.unseen:
        return f"its training cannot be watched: {watch.unseen}"
    return (
        "its training was not seen: Model.fit, Estimator.train and a Session.run of an update are "
        "watched. For a training loop of your own, write a function that returns the model, "
        "compiled with its loss and its optimizer, and name it: FILE.py:FUNCTION"
    )


def _outputs_refused(watch: ProgramWatch) -> list[Explanation]:
    """Returns what is wrong with outputs that do not fit the labels, so that no step was done."""
    if watch.model is None or watch.network is None:
        return []
    probe = watch.network.probe
    watch.received.keep(next(iter(probe.features.values())), probe.labels)
    outputs = watch.network.port.forward(probe.features, False, 0)[-1].value
    received = watch.received.received(watch)
    return classes_of_outputs(TrainingRecord(np.array([]), received, [], [], outputs, probe.labels))


def _contract_data(task: Task, inputs: Inputs, initial: Weights) -> ContractData:
    """Returns what the port received; `initial` are the weights that it began with."""
    signal = np.concatenate([batch.features["signal"] for batch in inputs.batches])
    kernels = {
        name: any(same_bits(value, other) for other in initial.values())
        for name, value in task.initial_weights().items()
        if value.ndim > 1
    }
    return ContractData(
        task.dataset.train.samples,
        task.dataset.evaluation.samples,
        task.batch_size,
        signal[:, :HEAD],
        [digest(row, STRIDE) for row in signal],
        kernels,
    )


def _evaluated(
    watch: TrainingWatch, port: Port, task: Task, record: TrainingRecord
) -> tuple[float, float, float] | None:
    """Returns three losses of the last evaluation; None if it cannot be computed again.

    The first is the loss reported. The others are computed by the port: for the features of the
    file, and for features that are scaled like those it trained on.
    """
    scale = scale_of(record)
    if not watch.evaluations or scale is None:
        return None
    port.set_weights(
        {variable.name: watch.final_weights[variable.name] for variable in port.variables()}
    )
    batches = evaluation_batches(task.dataset, task.batch_size)
    computed = []
    for factor in (1.0, scale):
        scaled = [
            PortBatch({"signal": (batch.features["signal"] * np.float32(factor))}, batch.labels)
            for batch in batches
        ]
        losses = [port.loss(batch, False, 0).value for batch in scaled]
        computed.append(float(np.average(losses, weights=[len(batch) for batch in scaled])))
    return watch.evaluations[-1]["loss"], computed[0], computed[1]
