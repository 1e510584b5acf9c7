"""From a watched training to what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.diagnose import self_checks
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.probes import LossFacts, loss_facts, moderation, modes_of
from bench.diagnose.rules.data import of_data, scale_of
from bench.diagnose.rules.did_train import learnt
from bench.diagnose.rules.network import of_network
from bench.diagnose.rules.symptoms import symptoms, too_short
from bench.diagnose.training_record import GivenData, KernelHistory, TrainingRecord
from bench.diagnose.training_watch import TrainingWatch
from bench.parity.pairing import SATURATING, View, with_outputs
from bench.parity.port import Port, PortBatch, Weights
from bench.parity.result import Explanation

BATCH_STEPS = 100
"""Steps in which one batch is to be learnt by heart (TheDeepChecker, AUTOTRAINER: a network that cannot is at fault)."""


def training_record_of(
    watcher: TrainingWatch, port: Port, outputs, labels, given: GivenData | None
) -> TrainingRecord:
    """The record of a training that ended. `outputs` [samples, columns] are those it ended with for `labels` [samples], None if it
    did not tell; `given` is None where it brought its own data."""
    received = watcher.kept.received(watcher)
    first, second = (watcher.weights + watcher.weights[-1:])[:2] if watcher.weights else ({}, {})
    last = watcher.ended
    kernels = [
        _kernel(variable, first[variable.name], second[variable.name], last[variable.name])
        for variable in port.variables()
        if variable.name in first and first[variable.name].size
    ]
    return TrainingRecord(
        np.array(watcher.losses), received, watcher.looks, kernels, outputs, labels, given
    )


def _kernel(variable, first: np.ndarray, second: np.ndarray, last: np.ndarray) -> KernelHistory:
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


def judged(
    name: str,
    watched: TrainingRecord,
    port: Port,
    batch: PortBatch,
    watcher: TrainingWatch,
    error: str,
    examined: list[PortBatch] = (),
) -> Diagnosis:
    """What is wrong with a training. `batch` is of its data; `examined` are samples whose outputs tell how it ended, where it
    has not told its outputs itself."""
    view = View(lambda method, *arguments: getattr(port, method)(*arguments))
    scale = scale_of(watched)
    if scale is not None:
        batch = PortBatch(
            {name: value * np.float32(scale) for name, value in batch.features.items()},
            batch.labels,
        )
    variables = port.variables()
    began, ended = (
        {variable.name: weights[variable.name] for variable in variables}
        for weights in (watcher.weights[0], watcher.ended)
    )
    loss = loss_facts(view, with_outputs(began, variables, moderation(view, began, batch)), batch)
    saturated = loss_facts(view, with_outputs(began, variables, SATURATING), batch)
    watched = replace(watched, takes=loss.takes, activation=loss.last.operation)
    if examined:
        outputs = _outputs(view, ended, examined, loss)
        watched = replace(
            watched, outputs=outputs, labels=np.concatenate([batch.labels for batch in examined])
        )
    well = learnt(watched)
    found = [
        *self_checks.of_loss(loss, saturated),
        *of_data(watched),
        *of_network(watched),
        *(
            self_checks.of_modes(modes_of(view, began, batch), variables, watched)
            if watched.evaluates
            else []
        ),
        *self_checks.of_update(view, began, batch),
        *self_checks.of_evaluations(watcher, watched),
    ]
    if not well:
        found = _once([*found, *symptoms(watched)]) or too_short(watched)
    state = (
        "trained"
        if well
        else "not trained"
        if np.isfinite(watched.losses).all() and not error
        else "diverged"
    )
    facts = _facts(watched, error)
    if not well and not found:
        facts.append(_one_batch(port, began, batch))
    return Diagnosis(name, state, found, facts, watched.looks, watched.losses.tolist())


def _once(found: list[Explanation]) -> list[Explanation]:
    """Every cause with the evidence that was found first."""
    first: dict[str, Explanation] = {}
    for entry in found:
        first.setdefault(entry.cause, entry)
    return list(first.values())


def _outputs(
    view: View, weights: Weights, batches: list[PortBatch], loss: LossFacts
) -> np.ndarray | None:
    """What the loss takes, [samples, columns], with the weights of the end; None where it is of another form."""
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


def _facts(watched: TrainingRecord, error: str) -> list[str]:
    losses, facts = watched.losses, []
    if len(losses):
        facts.append(
            f"{len(losses)} steps; loss {losses[0]:.5g} at the first, {watched.last_losses.mean():.5g} over the last "
            f"{len(watched.last_losses)}"
            + (
                f"; predicting the classes' shares costs {watched.entropy:.4g}"
                if watched.entropy is not None
                else ""
            )
        )
    if watched.accuracy is not None:
        facts.append(
            f"accuracy {watched.accuracy:.3f}; always predicting the most frequent class gives {watched.chance:.3f}"
        )
    elif watched.gained is not None:
        facts.append(f"{watched.gained:.1%} of the targets' variance is explained")
    return facts + ([f"it ended with {error}"] if error else [])


def _one_batch(port: Port, weights: Weights, batch: PortBatch) -> str:
    port.set_weights(weights)
    losses = [port.step(batch, step) for step in range(BATCH_STEPS)]
    able = losses[-1] < 0.5 * losses[0]
    return (
        f"one batch of {len(batch)} samples, {BATCH_STEPS} times: loss {losses[0]:.4g} to {losses[-1]:.4g}, so the network "
        + (
            "can learn it by heart: look at the data, their order and their labels"
            if able
            else "cannot even learn that: look at the network, its loss and its learning rate"
        )
    )
