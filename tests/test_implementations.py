"""The three implementations on a tiny dataset: each alone, and all against each other."""

import importlib

import numpy as np
import pytest

from bench.data.source import Spec
from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
from bench.implementations import IMPLEMENTATIONS, load_train
from bench.task import Task

NAMES = list(IMPLEMENTATIONS)
EPOCHS = 2


class Notes:
    """An observer that keeps all it sees."""

    def __init__(self):
        self.began, self.losses, self.evaluations, self.probes, self.steps_before = (
            0,
            [],
            [],
            [],
            [],
        )

    def begin(self):
        self.began += 1

    def step(self, loss, steps=1):
        self.losses.append(loss)

    def evaluation(self, evaluation, probe):
        self.evaluations.append(evaluation)
        self.probes.append(probe)
        self.steps_before.append(len(self.losses))


@pytest.fixture(scope="module")
def dataset():
    """Makes a dataset; the size of neither split is a multiple of the batch size."""
    return make_dataset(Synthetic(), Spec("small", 130, train=200, evaluation=50))


@pytest.fixture(scope="module")
def runs(dataset, tmp_path_factory):
    """Returns {(name, outputs): (notes, trained)} of two epochs."""
    runs = {}
    for name in NAMES:
        for loss in ("logits", "activated"):
            notes = Notes()
            task = Task(dataset, loss, 5, EPOCHS, tmp_path_factory.mktemp(name))
            runs[name, loss] = notes, load_train(IMPLEMENTATIONS[name])(task, notes)
    return runs


def reference_loss(outputs, labels):
    """Returns the mean softmax cross-entropy, computed in float64."""
    outputs = outputs.astype(np.float64)
    return np.mean(np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(labels)), labels])


@pytest.mark.parametrize("loss", ["logits", "activated"])
@pytest.mark.parametrize("name", NAMES)
def test_every_step_and_evaluation_is_reported_at_its_time(runs, name, loss):
    notes, trained = runs[name, loss]
    assert notes.began == 1
    assert len(notes.losses) == 14
    assert notes.steps_before == [7, 14]
    assert [row.global_step for row in notes.evaluations] == [
        7,
        14,
    ]
    assert trained.parameters == 12_786


@pytest.mark.parametrize("name", NAMES)
def test_no_pipeline_has_an_autotuner(dataset, name, tmp_path):
    """Its thread may delay the end of a training by seconds."""
    task = Task(dataset, "logits", 0, EPOCHS, tmp_path)
    own, tuned, cluster = (
        vars(importlib.import_module(f"{IMPLEMENTATIONS[name]}.{part}"))
        for part in ("input", "tuned", "cluster")
    )
    kind = "input" if name == "estimator" else "dataset"
    pipelines = [
        own[f"training_{kind}"](task),
        own[f"evaluation_{kind}"](dataset.evaluation, task),
        tuned["cached_dataset"](task, 1),
        cluster["shared_dataset"](task, 2, 0, 2, 0),
    ]
    assert [pipeline.options().autotune.enabled for pipeline in pipelines] == [False] * 4


@pytest.mark.parametrize("loss", ["logits", "activated"])
@pytest.mark.parametrize("name", NAMES)
def test_the_evaluation_is_that_of_the_predictions(runs, dataset, name, loss):
    notes, trained = runs[name, loss]
    last, labels = notes.evaluations[-1], dataset.evaluation_labels
    predicted = trained.outputs.argmax(axis=1)
    assert trained.outputs.shape == (50, 2)
    assert (
        last.true_positives,
        last.true_negatives,
        last.false_positives,
        last.false_negatives,
    ) == tuple(
        int(np.sum((predicted == guess) & (labels == truth)))
        for guess, truth in ((1, 1), (0, 0), (1, 0), (0, 1))
    )
    assert last.accuracy == pytest.approx(np.mean(predicted == labels), abs=1e-6)
    assert last.loss == pytest.approx(reference_loss(trained.outputs, labels), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_are_logits_or_activated_as_asked(runs, name):
    assert np.abs(runs[name, "logits"][1].outputs).max() > 1
    activated = runs[name, "activated"][1].outputs
    assert activated.min() >= 0
    assert activated.max() <= 1


@pytest.mark.parametrize("loss", ["logits", "activated"])
def test_sessions_and_estimator_agree_to_the_bit_at_the_first_step_and_all_three_stay_close(
    runs, loss
):
    lowlevel, estimator, keras = (np.array(runs[name, loss][0].losses) for name in NAMES)
    assert lowlevel[0] == estimator[0] == keras[0]
    assert estimator == pytest.approx(lowlevel, rel=1e-3, abs=1e-4)
    assert keras == pytest.approx(lowlevel, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("loss", ["logits", "activated"])
def test_all_three_see_the_same_gradients_and_outputs_on_the_fixed_batch(runs, loss):
    lowlevel, estimator, keras = (runs[name, loss][0].probes[0] for name in NAMES)
    for other in (estimator, keras):
        assert float(other.gradient_norm) == pytest.approx(
            float(lowlevel.gradient_norm), rel=2e-2, abs=1e-6
        )
        assert other.outputs == pytest.approx(lowlevel.outputs, rel=1e-2, abs=1e-2)
    assert lowlevel.outputs.shape == (32, 2)


def orders(name, dataset, seed, epochs, folder):
    """Returns the order in which an implementation's input gives the training samples, by epoch."""
    import importlib

    import tensorflow as tf

    task = Task(dataset, "logits", seed, epochs, folder)
    module = importlib.import_module(f"{IMPLEMENTATIONS[name]}.input")
    if name == "keras":
        batches = [signal.numpy() for signal, _ in module.training_dataset(task)]
    else:
        batches = []
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.set_random_seed(seed)
            samples = (module.training_dataset if name == "lowlevel" else module.training_input)(
                task
            )
            signal, _ = tf.compat.v1.data.make_one_shot_iterator(samples).get_next()
            while True:
                try:
                    batches.append(session.run(signal))
                except tf.errors.OutOfRangeError:
                    break
    rows = [row.tobytes() for batch in batches for row in batch]
    return [rows[start : start + 200] for start in range(0, len(rows), 200)], [
        len(batch) for batch in batches
    ]


@pytest.mark.parametrize("seed", [0, 3])
def test_the_sample_order_is_the_same_in_all_three_epoch_after_epoch(dataset, tmp_path, seed):
    (lowlevel, sizes), (estimator, _), (keras, _) = (
        orders(name, dataset, seed, 3, tmp_path) for name in NAMES
    )
    assert lowlevel == estimator == keras
    assert len(lowlevel) == 3
    assert sizes == [32, 32, 32, 32, 32, 32, 8] * 3
    assert lowlevel[0] != lowlevel[1]
    assert set(lowlevel[0]) == set(lowlevel[1])
    assert len(set(lowlevel[0])) == 200


def tags(folder):
    """Returns the tags of all summaries under a folder."""
    import tensorflow as tf

    return {
        value.tag
        for path in folder.rglob("events.out.tfevents.*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


@pytest.mark.parametrize("name", NAMES)
def test_summaries_hold_loss_accuracy_and_a_histogram_of_every_variable_and_gradient(
    dataset, tmp_path, name
):
    task = Task(dataset, "logits", 0, 1, tmp_path, summaries=True)
    load_train(IMPLEMENTATIONS[name])(task, Notes())
    written = tags(tmp_path)
    assert any("loss" in tag for tag in written)
    assert any("accuracy" in tag for tag in written)
    for variable in task.initial_weights():
        about = [tag for tag in written if variable in tag]
        assert any("gradient" in tag for tag in about), variable
        assert any("gradient" not in tag for tag in about), variable


@pytest.mark.parametrize("name", NAMES)
def test_no_summary_and_a_checkpoint_is_written_by_default(dataset, tmp_path, name):
    load_train(IMPLEMENTATIONS[name])(Task(dataset, "logits", 0, 1, tmp_path), Notes())
    assert not any("gradient" in tag for tag in tags(tmp_path))
    assert list(tmp_path.glob("*.index"))
