"""One port, trained and watched in its own process, and what is found wrong with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.diagnose import alone
from bench.diagnose.diagnosis import Diagnosis
from bench.diagnose.facts import loss_facts, moderation, modes_of
from bench.diagnose.outputs import Ended, diverged, explain_outputs, near_chance
from bench.diagnose.rules import certain, learnt, scale_of, symptoms
from bench.diagnose.watch import STRIDE, Watcher, port_after, watch_training
from bench.diagnose.watched import Given, Kernel, Watched
from bench.parity.inputs import Inputs, dataset_inputs, evaluation_batches
from bench.parity.pairing import SATURATING, View, with_outputs
from bench.parity.port import Batch, Port, Weights
from bench.parity.ports.target import in_fresh_folder
from bench.parity.ports.watch import HEAD, digest
from bench.parity.rounding import same_bits
from bench.task import Task, UserError

FILE_SAMPLES = 64
BATCH_STEPS = 100
"""Steps in which one batch is to be learnt by heart (TheDeepChecker, AUTOTRAINER: a network that cannot is at fault)."""


def examine_contract(target, task: Task) -> Diagnosis:
    """A module with `train(task, observer)`: trained as `task` says."""
    inputs = dataset_inputs(task.dataset, task.batch_size, FILE_SAMPLES // task.batch_size)
    probe = Batch({"signal": task.dataset.probe.signal}, task.dataset.probe.labels)
    watcher = Watcher(probe=probe)
    trained, error = None, ""
    try:
        trained = watch_training(target.function, in_fresh_folder(task), watcher)
    except UserError:
        raise
    except Exception as problem:  # what it raised may be what is wrong: a NaN that Estimator's hook refuses
        if watcher.port is None:
            raise
        error = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0][:200] if str(problem).strip() else ''}"
    if watcher.port is None:
        return _by_outputs(target.name, watcher, trained, task)
    slowed = watcher.slowed
    watcher.last()
    port = port_after(watcher, task)
    outputs = trained.outputs if trained is not None else None
    given = _given(task, inputs, watcher.weights[0] if watcher.weights else {})
    watched = _watched(watcher, port, outputs, task.dataset.evaluation_labels, given)
    if not error:
        watched = replace(watched, evaluated=_evaluated(watcher, port, task, watched))
    return replace(_judged(target.name, watched, port, inputs.batches[0], watcher, error), slowed=slowed,
                   ended=_ended(watcher, outputs, task))


def _by_outputs(name: str, watcher: Watcher, trained, task: Task) -> Diagnosis:
    """A training whose steps do not go through the doors one by one, as a loop within one call: what its outputs say."""
    last = watcher.evaluations[-1]
    ended = _ended(watcher, trained.outputs, task)
    found = explain_outputs(ended)
    state = "diverged" if diverged(ended) else "not trained" if near_chance(ended) else "trained"
    facts = ["its steps could not be watched one by one: judged by its outputs",
             f"accuracy {last['accuracy']:.3f}, evaluation loss {last['loss']:.5g}"]
    return Diagnosis(name, state, found, facts, [], watcher.losses, ended)


def _ended(watcher: Watcher, outputs, task: Task) -> Ended | None:
    if not watcher.evaluations or outputs is None:
        return None
    last = watcher.evaluations[-1]
    norm = watcher.looks[-1].gradient_norm if watcher.looks else None
    return Ended(outputs, task.dataset.evaluation_labels, last["loss"], last["accuracy"], norm, np.array(watcher.losses))


def examine_function(target, inputs: Inputs, steps: int) -> Diagnosis:
    """A function's port: trained step by step on given batches."""
    port = target.port(inputs.batches[0], None)
    watcher = Watcher(probe=inputs.batches[0])
    watcher.begin()
    port.set_weights(port.initial_weights(1)[0])
    watcher.see(port, None)
    for step in range(steps):
        batch = inputs.batches[step % len(inputs.batches)]
        watcher.kept.keep(next(iter(batch.features.values())), batch.labels)
        watcher.step(port.step(batch, step))
    watcher.last()
    whole = [port.forward(batch.features, False, 0)[-1].value for batch in inputs.batches]
    outputs = np.concatenate(whole) if whole[0].ndim == 2 else None
    labels = np.concatenate([batch.labels for batch in inputs.batches])
    watched = _watched(watcher, port, outputs, labels, None)
    return _judged(target.name, replace(watched, in_order=True), port, inputs.batches[0], watcher, "")


def _given(task: Task, inputs: Inputs, began: Weights) -> Given:
    signal = np.concatenate([batch.features["signal"] for batch in inputs.batches])
    kernels = {name: any(same_bits(value, other) for other in began.values())
               for name, value in task.initial_weights().items() if value.ndim > 1}
    return Given(task.dataset.train.samples, task.batch_size, signal[:, :HEAD], [digest(row, STRIDE) for row in signal], kernels)


def _watched(watcher: Watcher, port: Port, outputs, labels, given: Given | None) -> Watched:
    received = watcher.kept.received(watcher)
    first, second = (watcher.weights + watcher.weights[-1:])[:2] if watcher.weights else ({}, {})
    last = watcher.ended
    kernels = [_kernel(variable, first[variable.name], second[variable.name], last[variable.name])
               for variable in port.variables() if variable.name in first and first[variable.name].size]
    return Watched(np.array(watcher.losses), received, watcher.looks, kernels, outputs, labels, given)


def _kernel(variable, first: np.ndarray, second: np.ndarray, last: np.ndarray) -> Kernel:
    size = float(np.abs(first).max()) or 1.0
    norm = float(np.linalg.norm(first.astype(np.float64))) or 1.0
    with np.errstate(invalid="ignore"):
        moved = float(np.nan_to_num(np.abs(last - first).max() / size, nan=np.inf))
        step = float(np.nan_to_num(np.linalg.norm((second - first).astype(np.float64)) / norm, nan=np.inf))
    return Kernel(variable.name, variable.shape, variable.trainable, float(first.std()), bool(np.ptp(first) == 0), moved, step)


def _evaluated(watcher: Watcher, port: Port, task: Task, watched: Watched) -> tuple[float, float, float] | None:
    """The loss of the last evaluation as reported, and as the port has it for features of the file and for scaled ones."""
    scale = scale_of(watched)
    if not watcher.evaluations or scale is None:
        return None
    port.set_weights({variable.name: watcher.ended[variable.name] for variable in port.variables()})
    batches = evaluation_batches(task.dataset, task.batch_size)
    found = []
    for factor in (1.0, scale):
        scaled = [Batch({"signal": (batch.features["signal"] * np.float32(factor))}, batch.labels) for batch in batches]
        found.append(np.average([port.loss(batch, False, 0).value for batch in scaled], weights=[len(batch) for batch in scaled]))
    return watcher.evaluations[-1]["loss"], float(found[0]), float(found[1])


def _judged(name: str, watched: Watched, port: Port, batch: Batch, watcher: Watcher, error: str) -> Diagnosis:
    began = watcher.weights[0]
    view = View(lambda method, *arguments: getattr(port, method)(*arguments))
    scale = scale_of(watched)
    if scale is not None:
        batch = Batch({name: value * np.float32(scale) for name, value in batch.features.items()}, batch.labels)
    well = learnt(watched)
    variables = port.variables()
    began = {variable.name: began[variable.name] for variable in variables}
    loss = loss_facts(view, with_outputs(began, variables, moderation(view, began, batch)), batch)
    saturated = loss_facts(view, with_outputs(began, variables, SATURATING), batch)
    found = [*alone.of_loss(loss, saturated, well), *certain(watched),
             *alone.of_modes(modes_of(view, began, batch), variables, watched),
             *alone.of_update(view, began, batch), *alone.of_evaluations(watcher, watched, loss)]
    if not well:
        found += [entry for entry in symptoms(watched) if entry.cause not in {other.cause for other in found}]
    state = "trained" if well else "not trained" if np.isfinite(watched.losses).all() and not error else "diverged"
    facts = _facts(watched, error)
    if not well and not found:
        facts.append(_one_batch(port, began, batch))
    return Diagnosis(name, state, found, facts, watched.looks, watched.losses.tolist())


def _facts(watched: Watched, error: str) -> list[str]:
    losses = watched.losses
    facts = [f"{len(losses)} steps; loss {losses[0]:.5g} at the first, {watched.last_losses.mean():.5g} over the last "
             f"{len(watched.last_losses)}; predicting the classes' shares costs {watched.entropy:.4g}"] if len(losses) else []
    if watched.accuracy is not None:
        facts.append(f"accuracy {watched.accuracy:.3f}; always predicting the most frequent class gives {watched.chance:.3f}")
    return facts + ([f"it ended with {error}"] if error else [])


def _one_batch(port: Port, weights: Weights, batch: Batch) -> str:
    port.set_weights(weights)
    losses = [port.step(batch, step) for step in range(BATCH_STEPS)]
    able = losses[-1] < 0.5 * losses[0]
    return (f"one batch of {len(batch)} samples, {BATCH_STEPS} times: loss {losses[0]:.4g} to {losses[-1]:.4g}, so the network "
            + ("can learn it by heart: look at the data, their order and their labels" if able else
               "cannot even learn that: look at the network, its loss and its learning rate"))
