"""Every stage finds the port that is wrong there first; a network written otherwise passes."""

import functools

import numpy as np
import pytest
from conftest import ROOT, open_references, slow_after

from bench.parity import ComparisonSetting, compare

PORTS = f"{ROOT}/tests/ports.py"


@pytest.fixture(scope="module")
def opened():
    """Opens a reference of `ports.py` once, by its name."""
    with open_references() as opened:
        yield lambda name: opened(f"{PORTS}:{name}")


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Writes 45 samples of 12 values, of three classes."""
    path = tmp_path_factory.mktemp("batch") / "batch.npz"
    generator = np.random.default_rng(0)
    np.savez(
        path,
        x=generator.standard_normal((45, 12)).astype(np.float32),
        labels=generator.integers(0, 3, 45),
    )
    return path


@pytest.fixture(scope="module")
def compared(opened, batch):
    """Returns a function that compares a candidate with a reference of `ports.py`."""

    def compared(reference, candidate, **setting):
        setting = ComparisonSetting(batch=batch, steps=35, **setting)
        return compare(opened(reference), f"{PORTS}:{candidate}", setting)

    return compared


@pytest.fixture(scope="module")
def first_difference(compared):
    """Returns a function that compares two ports as far as their first difference."""
    return functools.partial(compared, first_only=True)


@pytest.mark.parametrize(
    ("candidate", "stage", "what"),
    slow_after(
        4,
        [
            ("wrong_variables_frozen", "variables", "trainable of hidden/kernel"),
            ("wrong_variables_bias", "variables", "without a partner"),
            ("wrong_initial_weights", "initial weights", "hidden/kernel"),
            ("wrong_initial_bias", "initial weights", "hidden/bias"),
            ("wrong_forward", "forward", "hidden/"),
            ("wrong_loss_sum", "loss", "reduction"),
            ("wrong_loss_regularised", "loss", "regularisation"),
            ("wrong_loss_from_logits", "loss", "per-sample losses"),
            ("wrong_gradients", "gradients", "hidden/kernel"),
            ("wrong_update_rate", "update", "learning rate"),
            ("wrong_update_epsilon", "update", "after gradients of"),
            ("wrong_update_default_epsilon", "update", "hidden/kernel"),
            ("wrong_curve", "curve", "from step 11 on"),
            ("wrong_metrics", "metrics", "accuracy"),
        ],
    ),
)
def test_a_wrong_port_is_named_by_its_first_stage(candidate, stage, what, first_difference):
    reference = "graph" if candidate != "wrong_metrics" else "model"
    parity = first_difference(reference, candidate)
    assert not parity.same
    assert parity.first_different.name == stage
    assert what in parity.first_different.difference.what


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "candidate", "stage", "what"),
    [
        ("zero_gradients", "wrong_gradients_none", "gradients", "hidden/kernel"),
        ("momentum", "wrong_update_momentum", "update", "after a change of the learning rate"),
        ("momentum", "wrong_update_schedule", "update", "learning rate at [30]"),
        (
            "normalised",
            "wrong_update_forgotten_statistics",
            "update",
            "after step 1, norm/moving_mean",
        ),
        (
            "normalised",
            "wrong_update_statistics_momentum",
            "update",
            "after step 1, norm/moving_mean",
        ),
        ("clipped", "wrong_update_without_clipping", "update", "after step 1, hidden/kernel"),
        ("normalised", "wrong_forward_epsilon", "forward", "evaluation mode, sequential/norm"),
        ("normalised", "wrong_forward_dropout", "forward", "training mode, sequential/dropout"),
        ("normalised", "wrong_forward_own_dropout", "forward", "share of zeros"),
        ("normalised", "wrong_forward_no_dropout", "forward", "over 24 draws"),
    ],
)
def test_wrong_ports_of_other_networks(reference, candidate, stage, what, first_difference):
    parity = first_difference(reference, candidate)
    assert not parity.same
    assert parity.first_different.name == stage
    assert what in parity.first_different.difference.what


@pytest.mark.parametrize(
    ("reference", "candidate"),
    slow_after(
        1,
        [
            ("graph", "model"),
            ("model", "graph"),
            ("graph", "subclassed"),
            ("graph", "transposed"),
            ("transposed", "model"),
            ("graph", "estimator"),
            ("estimator", "model"),
            ("model", "legacy_adam"),
            ("normalised_graph", "normalised"),
            ("model", "subclassed"),
            ("clipped", "clipped_model"),
        ],
    ),
)
def test_the_same_network_written_otherwise_is_the_same(reference, candidate, compared):
    parity = compared(reference, candidate)
    assert parity.same, parity.first_different
    verdicts = {stage.name: stage.verdict for stage in parity.stages}
    assert verdicts.pop("data") == "not seen"
    assert "not seen" not in verdicts.values()


@pytest.mark.slow
def test_random_numbers_in_another_order_are_compared_by_their_statistics_and_the_rest_is_not_seen(
    compared,
):
    parity = compared("normalised", "other_random_numbers")
    verdicts = {stage.name: stage.verdict for stage in parity.stages}
    assert parity.same
    assert verdicts["forward"] == "rounding"
    assert verdicts["gradients"] == verdicts["update"] == verdicts["curve"] == "not seen"
    assert any("statistics" in note for note in parity.stages[3].notes)


@pytest.mark.slow
def test_a_map_pairs_what_names_and_order_would_pair_wrongly(compared, tmp_path):
    names = tmp_path / "map.json"
    names.write_text('{"hidden/kernel": "a/weights", "hidden/bias": "a/offset"}')
    parity = compared("graph", "transposed", names=names)
    assert parity.same
    assert any("2 by map" in note for note in parity.stages[1].notes)


@pytest.mark.slow
def test_slots_without_partners_are_not_seen_and_not_called_equal(compared):
    update = next(
        stage for stage in compared("rmsprop", "rmsprop_model").stages if stage.name == "update"
    )
    assert update.verdict == "different"
    assert "after step 1, hidden/kernel" in update.difference.what
    assert "slots not seen: 2 a variable in the reference, 1 in the candidate" in update.notes


@pytest.mark.slow
def test_clipping_is_not_passed_by(compared):
    """Checks that small gradients are not given to the update itself: they would not be clipped."""
    update = next(
        stage for stage in compared("clipped", "clipped_model").stages if stage.name == "update"
    )
    assert any("small gradients not seen" in note for note in update.notes)


@pytest.mark.slow
def test_inputs_are_drawn_as_a_keras_model_declares_them_whole_numbers_too():
    parity = compare(f"{PORTS}:embedded", f"{PORTS}:embedded_model", ComparisonSetting(steps=10))
    assert parity.same, parity.first_different


@pytest.mark.slow
def test_initialisers_are_drawn_anew_every_time(batch):
    from bench.parity.inputs import read_inputs
    from bench.parity.remote_port import RemotePort
    from bench.process.forkserver import with_forkserver

    with with_forkserver():
        for name in ("graph", "model", "estimator"):
            with RemotePort("reference", f"{PORTS}:{name}", 60) as side:
                side("load")
                side.open(read_inputs(batch).batches[0], None)
                drawn = [weights["hidden/kernel"] for weights in side("initial_weights", 4)]
            assert len({value.tobytes() for value in drawn}) == 4, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "reference"),
    [("two_inputs", "graph"), ("batch_norm_dropout", "model_fn"), ("piecewise_rate", "graph")],
)
def test_the_examples_are_the_same_network(example, reference):
    file = f"{ROOT}/examples/{example}.py"
    parity = compare(f"{file}:{reference}", f"{file}:keras_model")
    assert parity.same, parity.first_different
