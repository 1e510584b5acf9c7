"""The tuned profiles and the floor with real TensorFlow.

Each runs in its own process, because threads can be set only once in a process.
"""

import importlib
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import slow_after

from bench.data.source import Spec
from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
from bench.implementations import IMPLEMENTATIONS, has_profile, load_train
from bench.process.forkserver import with_forkserver
from bench.process.group import call_in_child
from bench.task import Task

NAMES = list(IMPLEMENTATIONS)


class Notes:
    def __init__(self):
        self.calls, self.evaluations, self.probes = [], [], []

    def begin(self):
        pass

    def step(self, loss, steps=1):
        self.calls.append((float(loss), int(steps)))

    def evaluation(self, evaluation, probe):
        self.evaluations.append(evaluation)
        self.probes.append(probe)


def trained(module, profile, dataset, optimizer="adam", epochs=2, passes_per_epoch=1):
    """Trains; returns what the observer saw, the weights by shape, and the threads.

    The weights are read from the last checkpoint.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        notes = Notes()
        task = Task(
            dataset,
            "logits",
            5,
            epochs,
            Path(folder),
            optimizer=optimizer,
            passes_per_epoch=passes_per_epoch,
        )
        outputs = load_train(module, profile)(task, notes).outputs
        weights = {}
        if list(Path(folder).rglob("*.index")):
            stem = max(
                Path(folder).rglob("*.index"), key=lambda path: path.stat().st_mtime_ns
            ).with_suffix("")
            reader = tf.train.load_checkpoint(str(stem))
            shapes = {value.shape for value in task.initial_weights().values()}
            for name, shape in sorted(reader.get_variable_to_shape_map().items()):
                if tuple(shape) in shapes and not any(
                    word in name.lower() for word in ("adam", "optimizer", "slot")
                ):
                    weights.setdefault(tuple(shape), reader.get_tensor(name))
    return notes, outputs, weights, tf.config.threading.get_intra_op_parallelism_threads()


@pytest.fixture(scope="module")
def dataset():
    """Makes a dataset; the size of neither split is a multiple of the batch size."""
    return make_dataset(Synthetic(), Spec("small", 130, train=200, evaluation=50))


@pytest.fixture(scope="module")
def runs(dataset):
    with with_forkserver():
        return {
            (name, profile, optimizer): call_in_child(
                trained, IMPLEMENTATIONS[name], profile, dataset, optimizer
            )
            for name in NAMES
            for profile in ("default", "tuned")
            for optimizer in ("adam", "sgd")
        }


@pytest.mark.fast
@pytest.mark.parametrize("name", NAMES)
def test_all_of_ours_have_a_tuned_profile(name):
    assert has_profile(IMPLEMENTATIONS[name], "tuned")
    assert not has_profile("json", "tuned")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tuned_call_holds_a_whole_pass_and_reports_its_mean_loss(runs, name):
    tuned, default = runs[name, "tuned", "sgd"][0], runs[name, "default", "sgd"][0]
    assert [steps for _, steps in tuned.calls] == [7, 7]
    assert [steps for _, steps in default.calls] == [1] * 14
    sizes = np.array([32] * 6 + [8])
    for epoch, (mean, _) in enumerate(tuned.calls):
        losses = np.array([loss for loss, _ in default.calls[7 * epoch : 7 * epoch + 7]])
        assert mean == pytest.approx((losses * sizes).sum() / 200, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", NAMES)
def test_a_tuned_run_ends_its_epochs_with_the_same_weights_and_evaluations(runs, name, optimizer):
    """Allows 1e-4 of the largest weight after 14 steps, and 5e-4 with Adam.

    Threads, fusion and gating change only the order of additions. Adam divides by small numbers.
    Keras's tuned Adam is the fused one, which computes 1-β₂ in float32; the default one computes
    it in float64.
    """
    default, tuned = runs[name, "default", optimizer], runs[name, "tuned", optimizer]
    assert [row.global_step for row in tuned[0].evaluations] == [7, 14]
    for ours, theirs in zip(tuned[0].evaluations, default[0].evaluations):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-3, abs=1e-5)
        assert (ours.true_positives, ours.false_positives) == (
            theirs.true_positives,
            theirs.false_positives,
        )
    assert tuned[1] == pytest.approx(default[1], rel=1e-3, abs=1e-3 * np.abs(default[1]).max())
    assert len(tuned[2]) >= 6
    assert tuned[2].keys() == default[2].keys()
    tolerance = {"sgd": 1e-4, "adam": 5e-4}[optimizer]
    for shape, weight in default[2].items():
        assert np.abs(tuned[2][shape] - weight).max() <= tolerance * max(
            1e-2, np.abs(weight).max()
        ), shape


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_gradients_on_the_fixed_batch_are_the_same(runs, name):
    for ours, theirs in zip(
        runs[name, "tuned", "sgd"][0].probes, runs[name, "default", "sgd"][0].probes
    ):
        assert float(ours.gradient_norm) == pytest.approx(float(theirs.gradient_norm), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_small_batch_has_one_thread(runs, name):
    assert runs[name, "tuned", "sgd"][3] == 1
    assert runs[name, "default", "sgd"][3] == 0


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["default", "tuned"])
@pytest.mark.parametrize("name", slow_after(1, NAMES))
def test_an_epoch_may_be_several_passes(dataset, name, profile):
    with with_forkserver():
        notes, *_ = call_in_child(trained, IMPLEMENTATIONS[name], profile, dataset, "sgd", 2, 3)
    assert sum(steps for _, steps in notes.calls) == 42
    assert [row.global_step for row in notes.evaluations] == [21, 42]


@pytest.mark.parametrize("profile", ["default", "tuned"])
@pytest.mark.parametrize("name", NAMES)
def test_a_training_with_an_unknown_optimizer_is_refused(dataset, name, profile):
    with with_forkserver(), pytest.raises(ValueError, match="unknown optimizer 'adamax'"):
        call_in_child(trained, IMPLEMENTATIONS[name], profile, dataset, "adamax")


def optimizer_of(module, task):
    """The class of what an implementation's module trains with."""
    return type(importlib.import_module(module).build_optimizer(task)).__name__


@pytest.mark.parametrize("module", ["train", "tuned", "cluster"])
@pytest.mark.parametrize("name", NAMES)
def test_every_profile_builds_the_optimizer_that_is_asked_for_and_no_other(dataset, name, module):
    module = f"{IMPLEMENTATIONS[name]}.{module}"
    task = Task(dataset, "logits", 5, 1, Path())
    with with_forkserver():
        assert call_in_child(optimizer_of, module, task).startswith("Adam")
        sgd = call_in_child(optimizer_of, module, replace(task, optimizer="sgd"))
        assert sgd in ("SGD", "GradientDescentOptimizer")
        with pytest.raises(ValueError, match="unknown optimizer ''"):
            call_in_child(optimizer_of, module, replace(task, optimizer=""))


def test_the_floor_trains_the_same_network_on_its_batch(dataset):
    with with_forkserver():
        notes, outputs, *_ = call_in_child(
            trained, "impl_lowlevel.floor", "default", dataset, "adam", 3
        )
    losses = [loss for loss, _ in notes.calls]
    assert [steps for _, steps in notes.calls] == [100] * 3
    assert losses[2] < losses[0]
    assert not notes.evaluations
    assert outputs.shape == (0, 2)


@pytest.mark.slow
def test_the_floors_first_step_is_that_of_everybody(dataset):
    """Trains on a dataset of one batch, so that every first step has the same samples."""
    one = make_dataset(Synthetic(), Spec("small", 130, train=32, evaluation=50))
    with with_forkserver():
        notes, *_ = call_in_child(trained, IMPLEMENTATIONS["lowlevel"], "default", one, "adam", 100)
        floor, *_ = call_in_child(trained, "impl_lowlevel.floor", "default", one, "adam", 1)
    assert floor.calls[0][0] == pytest.approx(np.mean([loss for loss, _ in notes.calls]), rel=1e-2)
