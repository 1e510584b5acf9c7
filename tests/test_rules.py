"""Every rule on both sides of its threshold, on records of trainings written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from bench.diagnose.rules.data import OFFSET, of_data
from bench.diagnose.rules.did_train import has_learnt
from bench.diagnose.rules.network import TOO_WIDE, of_network
from bench.diagnose.rules.symptoms import (
    DEAD,
    GROWN,
    STEP_TOO_LARGE,
    VANISHING,
    symptoms,
    too_short,
)
from bench.diagnose.training_record import ContractData, KernelHistory, Snapshot, TrainingRecord
from bench.parity.port import Received

pytestmark = pytest.mark.fast

SAMPLES, BATCH = 640, 32
GENERATOR = np.random.default_rng(0)
LABELS = np.tile([0, 1], SAMPLES // 2)


def received(first=None, second=None, labels=None, sizes=None, heads=None):
    """Returns what a port received: two epochs of 640 samples, each in its own order."""
    first = GENERATOR.permutation(SAMPLES) if first is None else first
    second = GENERATOR.permutation(SAMPLES) if second is None else second
    order = np.concatenate([first, second])
    return Received(
        [str(number) for number in order],
        (LABELS if labels is None else labels)[order],
        GENERATOR.standard_normal((len(order), 8)) * 5 if heads is None else heads,
        sizes or [BATCH] * (len(order) // BATCH),
        "float32",
        "int64",
    )


def snapshot(step=100, gradient=1.0, dead=0.2, outputs=None):
    outputs = GENERATOR.standard_normal((16, 2)) if outputs is None else outputs
    return Snapshot(
        step,
        {"a/kernel": 1.0, "b/kernel": 1.0, "c/kernel": 1.0},
        dict.fromkeys(["a/kernel", "b/kernel", "c/kernel"], gradient / np.sqrt(3)),
        {"relu": dead},
        outputs,
    )


def kernel(
    name="a/kernel",
    shape=(50, 64),
    deviation=0.2,
    constant=False,
    moved=0.5,
    step=0.01,
    trainable=True,
):
    return KernelHistory(name, shape, trainable, deviation, constant, moved, step)


def training(**changes):
    """Returns a training that did not learn, for no reason that a rule knows."""
    plain = {
        "losses": np.full(100, 0.69),
        "received": received(),
        "snapshots": [snapshot(0), snapshot(100)],
        "kernels": [kernel(f"{name}/kernel") for name in "abc"],
        "outputs": np.tile([[0.3, 0.1], [0.1, 0.3]], (50, 1)),
        "labels": np.tile([0, 0, 1, 1], 25),
    }
    return TrainingRecord(**{**plain, **changes})


def causes(found):
    return [entry.cause for entry in found]


def certain(training):
    return [*of_data(training), *of_network(training)]


def test_nothing_is_said_of_a_plain_training():
    assert certain(training()) == []
    assert symptoms(training()) == []


@pytest.mark.parametrize(
    ("accuracy", "loss", "expected"),
    [
        (0.5, 0.1, False),
        (0.64, 0.3, False),
        (0.66, 0.3, True),
        (0.74, 0.6, False),
        (0.76, 0.6, True),
        (1.0, 5.0, True),
        (1.0, np.nan, False),
    ],
)
def test_learning_is_told_by_accuracy_and_loss(accuracy, loss, expected):
    labels = np.tile([0, 1], 50)
    right = np.arange(100) < round(accuracy * 100)
    predicted = np.where(right, labels, 1 - labels)
    assert (
        has_learnt(training(losses=np.full(100, loss), labels=labels, outputs=np.eye(2)[predicted]))
        is expected
    )


def test_without_outputs_the_loss_alone_tells():
    assert has_learnt(training(outputs=None, losses=np.full(100, 0.55)))
    assert not has_learnt(training(outputs=None, losses=np.full(100, 0.56)))


ORDER = np.random.default_rng(1).permutation(SAMPLES)
CONTRACT = ContractData(
    SAMPLES,
    100,
    BATCH,
    np.random.default_rng(2).standard_normal((64, 8)) * 5,
    [str(number) for number in range(64)],
    {},
)


def test_the_same_order_in_both_passes():
    assert causes(certain(training(received=received(ORDER, ORDER)))) == ["not_shuffled"]
    assert causes(
        certain(
            training(received=received(np.arange(SAMPLES), np.arange(SAMPLES)), contract=CONTRACT)
        )
    ) == ["not_shuffled"]
    assert causes(certain(training(received=received(ORDER, ORDER), contract=CONTRACT))) == [
        "input_restarts"
    ]
    assert certain(training(received=received(ORDER, ORDER), fixed_order=True)) == []


def test_whole_batches_shuffled():
    batches = np.arange(SAMPLES).reshape(-1, BATCH)
    again = batches[np.random.default_rng(4).permutation(len(batches))].ravel()
    assert causes(certain(training(received=received(batches.ravel(), again)))) == [
        "batches_shuffled"
    ]
    assert certain(training(received=received(batches.ravel(), ORDER))) == []


def test_runs_of_one_class():
    sorted_by_class = np.argsort(LABELS, kind="stable")
    nearly = [sorted_by_class + 0 for _ in range(2)]
    nearly[1] = np.concatenate([sorted_by_class[40:], sorted_by_class[:40]])
    assert causes(certain(training(received=received(*nearly)))) == ["buffer_too_small"]


def test_a_dropped_batch_shows_where_samples_are_no_multiple():
    given = replace(CONTRACT, samples=SAMPLES - 16)
    whole = received()
    assert causes(certain(training(received=whole, contract=given))) == ["partial_batch_dropped"]
    assert certain(training(received=whole, contract=CONTRACT)) == []
    evaluated = training(
        received=whole, contract=CONTRACT, outputs=np.zeros((96, 2)), labels=np.tile([0, 1], 48)
    )
    assert causes(certain(evaluated)) == ["partial_batch_dropped"]


@pytest.mark.parametrize(("mean", "cause"), [(290, []), (310, ["features_shifted"])])
def test_features_with_an_offset(mean, cause):
    heads = np.random.default_rng(5).standard_normal((2 * SAMPLES, 8))
    heads = (heads - heads.mean()) / heads.std() * 100 + mean
    assert causes(certain(training(received=received(heads=heads)))) == cause


def test_features_that_are_not_finite():
    heads = np.ones((2 * SAMPLES, 8))
    heads[3, 2] = np.inf
    assert causes(certain(training(received=received(heads=heads))))[0] == "features_not_finite"


def test_scaling_in_training_only_is_told_by_the_evaluation_reported():
    heads = np.random.default_rng(6).standard_normal((2 * SAMPLES, 8))
    scaled = training(received=received(heads=heads), contract=CONTRACT)
    assert causes(certain(replace(scaled, evaluated=(5.0, 5.0, 0.3)))) == [
        "scaled_in_training_only"
    ]
    assert certain(replace(scaled, evaluated=(0.3, 5.0, 0.3))) == []
    same = training(received=received(heads=heads * 5), contract=CONTRACT)
    assert certain(replace(same, evaluated=(5.0, 5.0, 0.3))) == []


HE = np.sqrt(2 / 50)


@pytest.mark.parametrize(("ratio", "cause"), [(2.4, []), (2.6, ["initialiser_too_wide"])])
def test_wide_kernels(ratio, cause):
    kernels = [kernel(f"{name}/kernel", deviation=ratio * HE) for name in "ab"] + [
        kernel("c/kernel")
    ]
    assert causes(certain(training(kernels=kernels))) == cause


def test_constant_kernels_and_weights_that_did_not_arrive():
    assert causes(certain(training(kernels=[kernel(constant=True, deviation=0.0)]))) == [
        "constant_initialiser"
    ]
    assert certain(training(kernels=[kernel("bias", (64,), constant=True, deviation=0.0)])) == []
    assert causes(
        certain(training(contract=replace(CONTRACT, kernels={"a": True, "b": False})))
    ) == ["not_restored"]
    for began in (True, False):  # All arrived, or none did: then the port has its own weights.
        assert certain(training(contract=replace(CONTRACT, kernels={"a": began, "b": began}))) == []


@pytest.mark.parametrize(
    ("step", "cause"),
    [(0.29, []), (0.31, ["rate_too_high"]), (2e-5, []), (0.5e-5, ["rate_too_low"])],
)
def test_steps_relative_to_their_variables(step, cause):
    assert (
        causes(symptoms(training(kernels=[kernel(f"{name}/kernel", step=step) for name in "abc"])))
        == cause
    )


SATURATED = np.tile([[0.0, 1.0]], (16, 1))


@pytest.mark.parametrize(
    ("gradient", "outputs", "cause"),
    [
        (0.0, SATURATED, ["activated_outputs"]),
        (2e-6, SATURATED, []),
        (0.0, SATURATED * 0.9 + 0.05, []),
    ],
)
def test_frozen_is_saturated_without_a_gradient(gradient, outputs, cause):
    assert (
        causes(
            symptoms(training(snapshots=[snapshot(0), snapshot(100, gradient, outputs=outputs)]))
        )
        == cause
    )


@pytest.mark.parametrize(("dead", "cause"), [(0.94, []), (0.96, ["dead_relus"])])
def test_dead_units(dead, cause):
    same = np.tile([[0.003, -0.003]], (16, 1))
    assert (
        causes(symptoms(training(snapshots=[snapshot(0), snapshot(100, 0.13, dead, same)])))
        == cause
    )


def test_dead_relus_are_told_from_frozen_outputs_of_the_same_loss():
    losses = np.full(100, np.log(2))
    frozen = training(
        losses=losses, snapshots=[snapshot(0), snapshot(100, 0.0, outputs=np.ones((16, 2)))]
    )
    dead = training(
        losses=losses,
        snapshots=[snapshot(0), snapshot(100, 0.13, 1.0, np.tile([[0.003, -0.003]], (16, 1)))],
    )
    assert causes(symptoms(frozen)) == ["activated_outputs"]
    assert causes(symptoms(dead)) == ["dead_relus"]


def test_losses_that_end():
    nan = np.concatenate([np.full(50, 0.5), np.full(50, np.nan)])
    assert causes(symptoms(training(losses=nan))) == ["log_of_zero"]
    grown = np.concatenate([np.full(50, 0.5), [3.0], np.full(49, np.inf)])
    assert causes(symptoms(training(losses=grown))) == ["rate_too_high"]


@pytest.mark.parametrize(("end", "cause"), [(1.9, []), (2.1, ["rate_too_high"])])
def test_a_loss_that_grows(end, cause):
    assert (
        causes(symptoms(training(losses=np.concatenate([np.full(50, 0.5), np.full(50, end)]))))
        == cause
    )


@pytest.mark.parametrize(("first", "cause"), [(2e-4, []), (0.5e-4, ["vanishing_gradient"])])
def test_gradients_that_vanish(first, cause):
    last = snapshot(100)
    norms = {"a/kernel": first, "b/kernel": 0.1, "c/kernel": 1.0}
    assert (
        causes(symptoms(training(snapshots=[snapshot(0), replace(last, gradient_norms=norms)])))
        == cause
    )


def test_a_variable_that_no_gradient_reaches():
    first = replace(snapshot(0), gradient_norms={"a/kernel": 0.0, "b/kernel": 1.0, "c/kernel": 1.0})
    still = [kernel("a/kernel", moved=0.0, step=0.0), kernel("b/kernel"), kernel("c/kernel")]
    assert "gradient_cut" in causes(
        symptoms(training(snapshots=[first, snapshot(100)], kernels=still))
    )
    assert "gradient_cut" not in causes(symptoms(training(snapshots=[first, snapshot(100)])))


@pytest.mark.parametrize(("share", "cause"), [(94, []), (96, ["classes_unbalanced"])])
def test_one_class(share, cause):
    assert causes(symptoms(training(labels=(np.arange(100) >= share).astype(int)))) == cause


def test_thresholds_are_the_ones_named_here():
    """Fails when a threshold moves, so that its tests are changed too."""
    assert (TOO_WIDE, STEP_TOO_LARGE, DEAD, GROWN, VANISHING, OFFSET) == (
        2.5,
        0.3,
        0.95,
        4.0,
        1e-4,
        3.0,
    )


REGRESSION = {"labels": np.linspace(-1.0, 1.0, 100), "takes": "values", "activation": "BiasAdd"}


@pytest.mark.parametrize(("noise", "expected"), [(0.45, True), (0.55, False)])
def test_a_regression_has_learnt_if_it_explains_variance(noise, expected):
    targets = REGRESSION["labels"]
    wrong = np.tile([1, -1], 50) * noise * np.sqrt(2) * targets.std() * np.sqrt(0.7 / 0.5)
    assert has_learnt(training(**REGRESSION, outputs=(targets + wrong)[:, np.newaxis])) is expected


@pytest.mark.parametrize(
    ("labels", "outputs", "takes", "activation", "wrong"),
    [
        (np.tile([0, 1], 50), 1, "probabilities", "Softmax", True),
        (np.tile([0, 1], 50), 1, "probabilities", "Sigmoid", False),
        (np.tile([0, 1, 2, 1], 25), 1, "probabilities", "Sigmoid", True),
        (np.tile([-1, 1], 50), 1, "logits", "BiasAdd", True),
        (np.tile([0, 1, 2, 1], 25), 3, "logits", "BiasAdd", False),
        (np.tile([0, 1, 3, 1], 25), 3, "logits", "BiasAdd", True),
    ],
)
def test_outputs_that_cannot_name_all_classes(labels, outputs, takes, activation, wrong):
    found = causes(
        certain(
            training(
                labels=labels, outputs=np.zeros((100, outputs)), takes=takes, activation=activation
            )
        )
    )
    assert found == ["classes_of_outputs"] * wrong


@pytest.mark.parametrize(
    ("largest", "activation", "cause"),
    [
        (1.04, "Sigmoid", []),
        (1.08, "Sigmoid", ["out_of_reach"]),
        (1.08, "BiasAdd", []),
        (1.08, "Relu", []),
        (1.08, "Tanh", ["out_of_reach"]),
    ],
)
def test_targets_that_no_output_can_have(largest, activation, cause):
    targets = np.linspace(0.01, largest, 100)
    assert (
        causes(
            certain(
                training(
                    labels=targets,
                    outputs=np.zeros((100, 1)),
                    takes="values",
                    activation=activation,
                )
            )
        )
        == cause
    )


@pytest.mark.parametrize(("size", "cause"), [(9, []), (11, ["inputs_too_large"])])
def test_large_features(size, cause):
    heads = np.random.default_rng(3).standard_normal((2 * SAMPLES, 8)) * size
    assert causes(symptoms(training(received=received(heads=heads)))) == cause


@pytest.mark.parametrize(("size", "cause"), [(15, []), (20, ["targets_too_large"])])
def test_large_targets(size, cause):
    targets = REGRESSION["labels"] * size  # The standard deviation is 0.58 times the size.
    assert (
        causes(symptoms(training(**{**REGRESSION, "labels": targets}, outputs=np.zeros((100, 1)))))
        == cause
    )


def test_a_loss_of_values_for_classes():
    assert causes(symptoms(training(takes="values"))) == ["loss_of_values"]
    assert symptoms(training(**REGRESSION, outputs=np.zeros((100, 1)))) == []


@pytest.mark.parametrize(("fall", "cause"), [(0.09, []), (0.11, ["too_short"])])
def test_a_loss_that_is_still_falling(fall, cause):
    assert causes(too_short(training(losses=np.repeat([1.0, 0.9, 0.9 * (1 - fall)], 30)))) == cause


def test_what_takes_no_logarithm_of_outputs_diverged_by_its_rate():
    nan = np.concatenate([np.full(50, 0.5), np.full(50, np.nan)])
    assert causes(symptoms(training(losses=nan, takes="probabilities"))) == ["log_of_zero"]
    assert causes(symptoms(training(losses=nan, takes="logits"))) == ["rate_too_high"]


def test_one_batch_is_all_there_is():
    assert certain(training(received=received(np.arange(32), np.arange(32), sizes=[32, 32]))) == []


def test_a_mean_far_from_0_is_no_offset_where_values_are_small():
    heads = np.random.default_rng(5).standard_normal((2 * SAMPLES, 8)) * 0.1 + 0.9
    assert certain(training(received=received(heads=heads))) == []


def test_half_of_the_batches_may_come_again():
    batches = np.arange(SAMPLES).reshape(-1, BATCH)
    mixed = np.random.default_rng(4).permutation(batches[10:].ravel())
    again = np.concatenate([batches[:10].ravel(), mixed])
    assert certain(training(received=received(batches.ravel(), again))) == []


def test_a_pass_that_repeats_itself_is_not_called_unshuffled():
    order = np.tile(np.arange(128), 5)
    found = causes(certain(training(received=received(order, order), contract=CONTRACT)))
    assert found == ["batches_shuffled"]


def test_a_pass_without_its_partial_batch_ends_with_its_last_whole_one():
    order = np.arange(608)[::-1]
    given = replace(CONTRACT, samples=630)
    found = causes(certain(training(received=received(order, order), contract=given)))
    assert found == ["input_restarts", "partial_batch_dropped"]


def test_a_training_shorter_than_a_pass_has_dropped_no_batch():
    few = received(np.arange(160), np.arange(160, 320))
    assert certain(training(received=few, contract=replace(CONTRACT, samples=630))) == []


def test_an_evaluation_that_scaling_does_not_change_tells_nothing_of_scaling():
    heads = np.random.default_rng(6).standard_normal((2 * SAMPLES, 8))
    scaled = training(received=received(heads=heads), contract=CONTRACT)
    assert certain(replace(scaled, evaluated=(5.0, 5.0, 5.0))) == []


def test_order_is_judged_by_two_whole_passes():
    by_class = np.argsort(LABELS, kind="stable")
    assert causes(certain(training(received=received(by_class, by_class[::-1])))) != []
    assert certain(training(received=received(by_class, by_class[::-1][:320]))) == []


def test_a_single_loss_that_is_not_finite_at_the_end_is_no_learning():
    labels = np.tile([0, 1], 50)
    losses = np.full(100, 0.1)
    sound = training(losses=losses, labels=labels, outputs=np.eye(2)[labels])
    assert has_learnt(sound)
    assert not has_learnt(replace(sound, losses=np.append(losses, np.nan)))


def test_one_wide_kernel_of_three_is_left_alone():
    kernels = [kernel("a/kernel", deviation=3 * HE), kernel("b/kernel"), kernel("c/kernel")]
    assert certain(training(kernels=kernels)) == []


def test_a_constant_kernel_of_a_single_output_breaks_no_symmetry():
    assert certain(training(kernels=[kernel(shape=(50, 1), constant=True, deviation=0.0)])) == []


@pytest.mark.parametrize(("lowest", "cause"), [(-0.9, []), (-1.5, ["out_of_reach"])])
def test_tanh_reaches_down_to_minus_1(lowest, cause):
    known = {"labels": np.linspace(lowest, 0.9, 100), "takes": "values", "activation": "Tanh"}
    assert causes(certain(training(**known, outputs=np.zeros((100, 1))))) == cause


def test_one_large_step_of_three_is_left_alone():
    steps = {"a": 0.01, "b": 0.01, "c": 0.5}
    kernels = [kernel(f"{name}/kernel", step=step) for name, step in steps.items()]
    assert symptoms(training(kernels=kernels)) == []


def test_outputs_of_which_some_are_not_saturated_are_not_frozen():
    outputs = np.concatenate([SATURATED[:14], [[0.3, 0.7]] * 2])
    assert symptoms(training(snapshots=[snapshot(0), snapshot(100, 0.0, outputs=outputs)])) == []


def test_a_variable_that_has_a_gradient_and_does_not_move_is_not_cut_off():
    still = [kernel("a/kernel", moved=0.0, step=0.0), kernel("b/kernel"), kernel("c/kernel")]
    assert symptoms(training(kernels=still)) == []
