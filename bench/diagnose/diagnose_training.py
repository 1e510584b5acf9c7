"""From the record of a training to its diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.diagnose import self_checks
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.probes import LossAnalysis, analyse_loss, moderation, modes_of
from bench.diagnose.rules.data import of_data, scale_of
from bench.diagnose.rules.did_train import has_learnt
from bench.diagnose.rules.network import of_network
from bench.diagnose.rules.symptoms import symptoms, too_short
from bench.diagnose.training_record import ContractData, KernelHistory, TrainingRecord
from bench.diagnose.training_watch import TrainingWatch
from bench.parity.pairing import SATURATING, View, with_outputs
from bench.parity.port import Port, PortBatch, Variable, Weights
from bench.parity.result import Explanation

BATCH_STEPS = 100
"""Number of steps in which a network should be able to learn a single batch.

A network that cannot is itself at fault (TheDeepChecker, AUTOTRAINER).
"""


def training_record_of(
    watch: TrainingWatch,
    port: Port,
    outputs: np.ndarray | None,
    labels: np.ndarray | None,
    contract: ContractData | None,
) -> TrainingRecord:
    """Returns the record of a training that ended.

    Args:
        watch: what watched the training.
        port: a port of its network.
        outputs: outputs at the end, [samples, columns]; None if the training did not return them.
        labels: labels of these outputs, [samples].
        contract: what the contract gave to the port; None for ports with data of their own.
    """
    received = watch.received.received(watch)
    weights = watch.first_weights
    first, second = (weights + weights[-1:])[:2] if weights else ({}, {})
    last = watch.final_weights
    kernels = [
        _kernel(variable, first[variable.name], second[variable.name], last[variable.name])
        for variable in port.variables()
        if variable.name in first and first[variable.name].size
    ]
    return TrainingRecord(
        np.array(watch.losses), received, watch.snapshots, kernels, outputs, labels, contract
    )


def _kernel(
    variable: Variable, first: np.ndarray, second: np.ndarray, last: np.ndarray
) -> KernelHistory:
    size = float(np.abs(first).max()) or 1.0
    norm = float(np.linalg.norm(first.astype(np.float64))) or 1.0
    with np.errstate(invalid="ignore"):
        moved = float(np.nan_to_num(np.abs(last - first).max() / size, nan=np.inf))
        step = float(
            np.nan_to_num(np.linalg.norm((second - first).astype(np.float64)) / norm, nan=np.inf)
        )
    return KernelHistory(
        variable.name,
        variable.shape,
        variable.trainable,
        float(first.std()),
        bool(np.ptp(first) == 0),
        moved,
        step,
    )


def judge_training(
    name: str,
    record: TrainingRecord,
    port: Port,
    batch: PortBatch,
    watch: TrainingWatch,
    error: str,
    examined: Sequence[PortBatch] = (),
) -> Diagnosis:
    """Returns the diagnosis of a training.

    Args:
        name: name of the port.
        record: the training's record.
        port: a port of its network.
        batch: a batch of its data.
        watch: what watched the training.
        error: the error that ended it, "" if none did.
        examined: batches whose outputs are computed, if the training did not return outputs.
    """
    view = View(lambda method, *arguments: getattr(port, method)(*arguments))
    batch = _scaled(batch, scale_of(record))
    variables = port.variables()
    initial, final = (
        {variable.name: weights[variable.name] for variable in variables}
        for weights in (watch.first_weights[0], watch.final_weights)
    )
    moderate = with_outputs(initial, variables, moderation(view, initial, batch))
    loss = analyse_loss(view, moderate, batch)
    saturated = analyse_loss(view, with_outputs(initial, variables, SATURATING), batch)
    record = replace(record, takes=loss.takes, activation=loss.last.operation)
    if examined:
        outputs = _outputs(view, final, examined, loss)
        labels = np.concatenate([batch.labels for batch in examined])
        record = replace(record, outputs=outputs, labels=labels)
    trained = has_learnt(record)
    found = [
        *self_checks.of_loss(loss, saturated),
        *of_data(record),
        *of_network(record),
        *(
            self_checks.of_modes(modes_of(view, initial, batch), variables, record)
            if record.evaluation_known
            else []
        ),
        *self_checks.of_update(view, initial, batch),
        *self_checks.of_evaluations(watch, record),
    ]
    if not trained:
        found = _once([*found, *symptoms(record)]) or too_short(record)
    notes = _notes(record, error)
    if not trained and not found:
        notes.append(_one_batch(port, initial, batch))
    state = _state(record, trained, error)
    return Diagnosis(name, state, found, notes, record.snapshots, record.losses.tolist())


def _state(record: TrainingRecord, trained: bool, error: str) -> str:
    if trained:
        return "trained"
    return "not trained" if np.isfinite(record.losses).all() and not error else "diverged"


def _scaled(batch: PortBatch, scale: float | None) -> PortBatch:
    """Returns the batch with its features multiplied by `scale`; None leaves them as they are."""
    if scale is None:
        return batch
    factor = np.float32(scale)
    features = {name: value * factor for name, value in batch.features.items()}
    return PortBatch(features, batch.labels)


def _once(found: list[Explanation]) -> list[Explanation]:
    """Returns each cause once, with the evidence that was found first."""
    first: dict[str, Explanation] = {}
    for entry in found:
        first.setdefault(entry.cause, entry)
    return list(first.values())


def _outputs(
    view: View, weights: Weights, batches: Sequence[PortBatch], loss: LossAnalysis
) -> np.ndarray | None:
    """Returns what the loss takes with these weights, [samples, columns]; None if no matrix."""
    view.set_weights(weights)
    values = []
    for batch in batches:
        activations = view.ask("forward", view.batch(batch).features, False, 0)
        values.append(
            next(
                activation.value
                for activation in activations[::-1]
                if activation.name == loss.last.name
            )
        )
    return np.concatenate(values) if values[0].ndim == 2 else None


def _notes(record: TrainingRecord, error: str) -> list[str]:
    """Returns what the training reached, in sentences."""
    losses, notes = record.losses, []
    if len(losses):
        notes.append(
            f"{len(losses)} steps; the loss is {losses[0]:.5g} at the first step and "
            f"{record.last_losses.mean():.5g} over the last {len(record.last_losses)}"
            + (
                f"; predicting the classes' shares gives {record.entropy:.4g}"
                if record.entropy is not None
                else ""
            )
        )
    if record.accuracy is not None:
        notes.append(
            f"the accuracy is {record.accuracy:.3f}; always predicting the most frequent class "
            f"gives {record.chance:.3f}"
        )
    elif record.gained is not None:
        notes.append(f"the outputs explain {record.gained:.1%} of the targets' variance")
    return notes + ([f"the training ended with {error}"] if error else [])


def _one_batch(port: Port, weights: Weights, batch: PortBatch) -> str:
    """Trains on a single batch; returns what that shows, in a sentence."""
    port.set_weights(weights)
    losses = [port.step(batch, step) for step in range(BATCH_STEPS)]
    able = losses[-1] < 0.5 * losses[0]
    return (
        f"{BATCH_STEPS} steps on one batch of {len(batch)} samples change the loss from "
        f"{losses[0]:.4g} to {losses[-1]:.4g}: the network "
        + (
            "can learn it, so check the data, their order and their labels"
            if able
            else "cannot learn even that, so check the network, its loss and its learning rate"
        )
    )
