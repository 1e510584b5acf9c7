"""A training whose weights never move, and whose outputs tell wrong metrics from right ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bench.parity.inputs import evaluation_batches
from bench.parity.port import Weights
from bench.parity.ports.standard import Standard
from bench.task import Task

SMALL = 0.05
"""Of the last kernel's size: outputs of raw counts, some tens, become about as large as thresholds are."""

FEWEST = 8
"""Samples to choose a cut from."""

THRESHOLD = 0.5
"""Of probabilities, and by mistake of logits."""


@dataclass(frozen=True)
class FixedWeightsTask(Task):
    """Starts from `weights` and stays there. The standard network's accuracy by the larger output, its accuracy by a threshold
    and the shares of both classes are four different numbers, where there are two classes."""

    weights: Weights = field(default_factory=dict)

    def initial_weights(self) -> Weights:
        return self.weights


def fixed_weights_task(task: Task) -> FixedWeightsTask:
    """A task like this one that stays where it starts. Needs TensorFlow, to read the evaluation split."""
    weights = task.initial_weights()
    kernel, bias = [name for name in weights if name.endswith("kernel")][-1], list(weights)[-1]
    weights[kernel] = weights[kernel] * np.float32(SMALL)
    network = Standard(task)
    network.set_weights(weights)
    batches = evaluation_batches(task.dataset, task.batch_size)
    outputs = np.concatenate(
        [network.forward(batch.features, False, 0)[-1].value for batch in batches]
    )
    labels = np.concatenate([batch.labels for batch in batches])
    still = {**vars(task), "learning_rate": 0.0}
    if task.dataset.classes != 2 or len(labels) < FEWEST:
        return FixedWeightsTask(**still, weights=weights)
    chance = [float(np.mean(labels == label)) for label in (0, 1)]
    larger, accuracy = _cut(outputs[:, 1] - outputs[:, 0], labels, chance)
    above, _ = _cut(outputs[:, 1], labels, [*chance, accuracy])
    weights[bias] = np.array([larger - above, -above], np.float32) + np.float32(THRESHOLD)
    return FixedWeightsTask(**still, weights=weights)


def _cut(values: np.ndarray, labels: np.ndarray, others: list[float]) -> tuple[float, float]:
    """Where to cut so that predicting class 1 above has an accuracy as far as possible from all `others`, and that accuracy. It
    is in the middle half of the values, and not where they lie so close that rounding decides."""
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    middle = np.arange(len(gaps) // 4, len(gaps) - len(gaps) // 4)
    wide = middle[gaps[middle] >= np.median(gaps[middle])]
    cuts = (ordered[wide] + ordered[wide + 1]) / 2
    accuracies = np.array([np.mean((values > cut) == labels) for cut in cuts])
    best = int(np.abs(accuracies[:, np.newaxis] - others).min(axis=1).argmax())
    return float(cuts[best]), float(accuracies[best])
