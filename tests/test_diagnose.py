"""Diagnoses of cells, modules and functions, as a user asks for them."""

import json

import numpy as np
import pytest
from conftest import ROOT, run_module, slow_after

from bench.diagnose.diagnose import DiagnosisSetting, diagnose
from bench.diagnose.outputs import FinalState, diverged, explain_outputs, near_chance
from bench.implementations import IMPLEMENTATIONS
from bench.parity.remote_port import PortError
from bench.process.forkserver import with_forkserver
from bench.traps.comparison import on_path
from bench.traps.injection import write_trapped
from bench.traps.trap import gallery

PORTS = f"{ROOT}/tests/ports.py"


@pytest.fixture(scope="module", autouse=True)
def forkserver():
    with with_forkserver():
        yield


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_after(1, IMPLEMENTATIONS))
def test_nothing_is_wrong_with_sound_ports(name, seed):
    found = diagnose(name, DiagnosisSetting(seed=seed))
    assert found.state == "trained"
    assert found.explanations == []
    assert len(found.snapshots) > 4
    assert found.snapshots[0].step == 0
    assert found.snapshots[-1].step == len(found.losses)
    assert found.final_state.right == found.final_state.accuracy > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_nothing_is_wrong_with_tuned_ports_whose_steps_cannot_be_seen(name):
    found = diagnose(f"{IMPLEMENTATIONS[name]}.tuned")
    assert found.state == "trained"
    assert found.explanations == []


@pytest.mark.slow
def test_a_port_may_set_its_threads(tmp_path):
    """Sets threads after operations have run, which TensorFlow's runtime would refuse."""
    port = tmp_path / "threads.py"
    port.write_text("""\
import tensorflow as tf
from impl_lowlevel.train import train as sound
def train(task, observer):
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.compat.v1.config.threading.set_inter_op_parallelism_threads(2)
    return sound(task, observer)
""")
    assert diagnose(str(port)).state == "trained"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "causes"), [("lowlevel", ["partial_batch_dropped"]), ("estimator", [])]
)
def test_batches_of_a_fixed_size_are_no_obstacle(name, causes, tmp_path):
    """Diagnoses graphs that take batches of 32 and no others.

    On small every training batch is full: dropping the remainder does harm only in evaluation.
    Looks follow after the first three steps too, though fewer on a busy machine.
    """
    with on_path(tmp_path):
        found = diagnose(write_trapped(gallery()["last_batch_dropped"], name, tmp_path))
    assert found.state == "trained"
    assert [entry.cause for entry in found.explanations] == causes
    assert len(found.snapshots) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_seeds_port_is_named_though_it_trains_on_small(name):
    found = diagnose(name, DiagnosisSetting(outputs="activated"))
    assert found.state == "trained"
    assert [entry.cause for entry in found.explanations] == ["activated_outputs"]
    assert "0.3133" in found.explanations[0].evidence
    assert "network.py" in found.explanations[0].lines[0]


@pytest.mark.parametrize(
    ("trap", "name", "cause"),
    slow_after(
        1,
        [
            ("zero_kernels", "lowlevel", "constant_initialiser"),
            ("log_of_softmax", "estimator", "log_of_zero"),
            ("sigmoid_by_string", "keras", "loss_of_hidden_logits"),
            ("update_ops_not_run", "lowlevel", "statistics_not_updated"),
            ("normalisation_never_trains", "keras", "mode_not_passed"),
            ("keep_prob_as_rate", "estimator", "dropout_rate_inverted"),
            ("dropout_in_evaluation", "lowlevel", "dropout_in_evaluation"),
            ("scaled_in_training_only", "keras", "scaled_in_training_only"),
            ("argmax_of_one_column", "estimator", "accuracy_of_one_class"),
            ("partly_restored", "keras", "not_restored"),
            ("input_restarts", "estimator", "input_restarts"),
            ("rate_never_decays", "lowlevel", "steps_not_counted"),
            ("sum_for_mean", "estimator", "sum_for_mean"),
            ("regularisation_not_added", "lowlevel", "regularisation_not_added"),
        ],
    ),
)
def test_causes_are_named_without_a_reference(trap, name, cause, tmp_path):
    with on_path(tmp_path):
        found = diagnose(write_trapped(gallery()[trap], name, tmp_path))
    assert [entry.cause for entry in found.explanations][:1] == [cause], found


@pytest.fixture
def batch(tmp_path):
    """Writes 64 samples of 12 values, of three classes that can be told apart."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 64)
    x = generator.standard_normal((64, 12)) + 3 * np.eye(3)[labels] @ generator.standard_normal(
        (3, 12)
    )
    np.savez(tmp_path / "batch.npz", x=x.astype(np.float32), labels=labels)
    return tmp_path / "batch.npz"


@pytest.mark.parametrize(
    "port",
    slow_after(1, ["graph", "model", "estimator", "subclassed", "transposed", "legacy_adam"]),
)
def test_nothing_is_wrong_with_functions_either(port, batch):
    found = diagnose(f"{PORTS}:{port}", DiagnosisSetting(batch=batch, steps=400))
    assert (found.state, found.explanations) == ("trained", []), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("port", "cause"),
    [
        ("wrong_loss_from_logits", "probabilities_expected"),
        ("wrong_loss_sum", "sum_for_mean"),
        ("wrong_initial_bias", None),
    ],
)
def test_functions_that_are_wrong(port, cause, batch):
    found = diagnose(f"{PORTS}:{port}", DiagnosisSetting(batch=batch, steps=200))
    assert [entry.cause for entry in found.explanations][:1] == [cause] * (cause is not None)


def bench(*arguments):
    return run_module("bench", "diagnose", *arguments)


def test_the_command_says_it_in_words_in_json_and_as_a_picture(tmp_path):
    run = bench(
        "impl_keras",
        "--outputs",
        "activated",
        "--epochs",
        1,
        "--picture",
        tmp_path / "why.png",
        "--json",
    )
    answer = json.loads(run.stdout)
    assert run.returncode == 1
    assert answer["explanations"][0]["cause"] == "activated_outputs"
    assert answer["looks"]
    assert (tmp_path / "why.png").stat().st_size > 10_000
    against = bench("impl_keras", "--outputs", "logits", "--reference", "impl_lowlevel")
    assert against.returncode == 0
    assert "The same network" in against.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    slow_after(
        2,
        [
            (["no/such/cell.json"], "there is no file no/such/cell.json"),
            (["no_such_module"], "there is no module 'no_such_module'"),
            ([f"{PORTS}:graph"], "declares no input shapes: give --batch"),
        ],
    ),
)
def test_what_cannot_be_looked_at_is_one_line(arguments, message):
    run = bench(*arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_port_that_raises_before_it_trains_is_an_error(batch):
    with pytest.raises(
        PortError, match="raises raised ValueError: Dimensions must be equal"
    ) as error:
        diagnose(f"{PORTS}:raises", DiagnosisSetting(batch=batch))
    assert error.value.traceback_text.splitlines()[0].strip().startswith(f'File "{PORTS}"')


LABELS = np.tile([0, 1], 50)


def ended(outputs, loss, accuracy=0.5, gradient=0.0, losses=(1.0,)):
    return FinalState(
        np.asarray(outputs, float), LABELS, loss, accuracy, gradient, np.asarray(losses, float)
    )


def test_outputs_tell_frozen_from_dead_though_both_lose_ln_2():
    frozen = ended(np.ones((100, 2)), np.log(2))
    dead = ended(np.tile([0.003, -0.003], (100, 1)), 0.69315, gradient=0.13)
    assert [found.cause for found in explain_outputs(frozen)] == ["activated_outputs"]
    assert [found.cause for found in explain_outputs(dead)] == ["dead_relus"]
    moving = dead.outputs + np.linspace(-1, 1, 100)[:, None] * np.array([1e-5, 0])
    assert near_chance(dead.accuracy, dead.labels)
    assert explain_outputs(ended(moving, 0.69315)) == []


def test_outputs_in_0_1_whose_loss_is_that_of_probabilities_are_not_the_seeds_fault():
    outputs = np.where(LABELS[:, None] == np.arange(2), 0.9, 0.1)
    assert explain_outputs(ended(outputs, -np.log(0.9), 1.0)) == []
    as_logits = np.log(1 + np.exp(0.1 - 0.9))
    assert [found.cause for found in explain_outputs(ended(outputs, as_logits, 1.0))] == [
        "activated_outputs"
    ]


def test_divergence_is_told_from_its_losses():
    sudden, grown = (
        ended(np.zeros((100, 2)), np.nan, losses=losses)
        for losses in ([0.5, 0.4, np.nan], [0.5, 0.5, 9.0, np.inf])
    )
    assert diverged(sudden)
    assert [found.cause for found in explain_outputs(sudden)] == ["log_of_zero"]
    assert [found.cause for found in explain_outputs(grown)] == ["rate_too_high"]
    assert not diverged(ended(np.zeros((100, 2)), 0.7))
