"""A training whose weights never change, and at which wrong metrics differ from right ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bench.parity.inputs import evaluation_batches
from bench.parity.port import Weights
from bench.parity.ports.standard import Standard
from bench.task import Task

SMALL = 0.05
"""The last kernel is multiplied by this. Outputs of raw counts, which are some tens, become about
as large as a threshold."""

FEWEST = 8
"""Smallest number of samples to choose a cut from."""

THRESHOLD = 0.5
"""The threshold of probabilities, which some ports apply to logits by mistake."""


@dataclass(frozen=True)
class FixedWeightsTask(Task):
    """Starts from `weights`, and keeps them: its learning rate is 0.

    Where there are two classes, four numbers differ: the standard network's accuracy by the larger
    output, its accuracy by a threshold, and the shares of both classes.
    """

    weights: Weights = field(default_factory=dict)

    def initial_weights(self) -> Weights:
        return self.weights


def fixed_weights_task(task: Task) -> FixedWeightsTask:
    """Returns a task like this one whose weights never change. Imports TensorFlow, to read the
    evaluation split."""
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
    fields = {**vars(task), "learning_rate": 0.0}
    if task.dataset.classes != 2 or len(labels) < FEWEST:
        return FixedWeightsTask(**fields, weights=weights)
    chance = [float(np.mean(labels == label)) for label in (0, 1)]
    larger, accuracy = _cut(outputs[:, 1] - outputs[:, 0], labels, chance)
    above, _ = _cut(outputs[:, 1], labels, [*chance, accuracy])
    weights[bias] = np.array([larger - above, -above], np.float32) + np.float32(THRESHOLD)
    return FixedWeightsTask(**fields, weights=weights)


def _cut(values: np.ndarray, labels: np.ndarray, others: list[float]) -> tuple[float, float]:
    """Chooses a cut, above which class 1 is predicted. Returns it with its accuracy.

    The accuracy is as far as possible from all `others`. The cut is in the middle half of the
    values, and not where they are so close that rounding decides.
    """
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    middle = np.arange(len(gaps) // 4, len(gaps) - len(gaps) // 4)
    wide = middle[gaps[middle] >= np.median(gaps[middle])]
    cuts = (ordered[wide] + ordered[wide + 1]) / 2
    accuracies = np.array([np.mean((values > cut) == labels) for cut in cuts])
    best = int(np.abs(accuracies[:, np.newaxis] - others).min(axis=1).argmax())
    return float(cuts[best]), float(accuracies[best])
