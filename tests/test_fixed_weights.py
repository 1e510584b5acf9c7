"""The weights at which evaluations are compared: a wrong metric must differ from a right one."""

import numpy as np
import pytest
from conftest import slow_after

from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
from bench.parity.fixed_weights import fixed_weights_task
from bench.parity.inputs import evaluation_batches
from bench.parity.ports.standard import Standard
from bench.parity.setting import DATASETS
from bench.task import Task


@pytest.mark.parametrize("dataset", slow_after(1, DATASETS))
@pytest.mark.parametrize("seed", slow_after(1, range(3)))
def test_wrong_metrics_have_other_values(dataset, seed):
    task = Task(make_dataset(Synthetic(), DATASETS[dataset]), "logits", seed, 2, None)
    fixed = fixed_weights_task(task)
    assert fixed.learning_rate == 0
    network = Standard(fixed)
    network.set_weights(fixed.initial_weights())
    batches = evaluation_batches(task.dataset, task.batch_size)
    outputs = np.concatenate(
        [network.forward(batch.features, False, 0)[-1].value for batch in batches]
    )
    labels = task.dataset.evaluation_labels
    accuracies = [
        np.mean(predicted == labels)
        for predicted in (
            outputs.argmax(axis=1),
            outputs[:, 1] > 0.5,
            np.zeros(len(labels)),
            np.ones(len(labels)),
        )
    ]
    right, by_threshold, first, second = accuracies
    assert (
        min(
            abs(right - first),
            abs(right - second),
            abs(right - by_threshold),
            abs(by_threshold - first),
        )
        > 0.02
    )
    assert np.abs(outputs[:, 1] - 0.5).min() > 1e-5
    assert np.abs(outputs[:, 1] - outputs[:, 0]).min() > 1e-5
