"""Comparisons of our implementations and of wrong modules; bad input; the command's answers."""

import json

import numpy as np
import pytest
from conftest import ROOT, run_module, slow_after

from bench.parity import STAGE_NAMES, ComparisonSetting, compare
from bench.parity.remote_port import PortError
from bench.task import UserError

PORTS = f"{ROOT}/tests/ports.py"
PAIRS = [
    ("impl_lowlevel", "impl_estimator"),
    ("impl_lowlevel", "impl_keras"),
    ("impl_estimator", "impl_keras"),
]

WRONG = """
from dataclasses import replace
from unittest import mock
import impl_keras.train
from impl_keras.input import training_dataset

def train(task, observer):
    def changed(task):
        return {change}
    with mock.patch("impl_keras.train.training_dataset", changed):
        return impl_keras.train.train(task, observer)
"""

CUSTOM = """
def train(task, observer):
    observer.begin()
"""


@pytest.mark.parametrize(
    ("dataset", "steps"), [("small", 400), pytest.param("large", 40, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("reference", "candidate"), slow_after(1, PAIRS))
def test_with_gradient_descent_our_three_agree_to_the_bit_at_every_stage(
    reference, candidate, dataset, steps
):
    parity = compare(
        reference, candidate, ComparisonSetting(dataset=dataset, optimizer="sgd", steps=steps)
    )
    assert [(stage.name, stage.verdict) for stage in parity.stages] == [
        (name, "bit") for name in STAGE_NAMES
    ]


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["logits", "activated"])
@pytest.mark.parametrize(("reference", "candidate"), PAIRS)
def test_with_adam_they_differ_by_the_known_difference_alone(reference, candidate, outputs):
    parity = compare(reference, candidate, ComparisonSetting(outputs=outputs, steps=20))
    verdicts = {stage.name: stage.verdict for stage in parity.stages}
    expected = "bit" if candidate == "impl_estimator" else "rounding"
    assert parity.same
    assert verdicts.pop("update") == expected
    assert verdicts.pop("curve") == expected
    assert set(verdicts.values()) == {"bit"}
    notes = [note for stage in parity.stages for note in stage.notes]
    assert any("1-β₂ in float32" in note for note in notes) == (candidate != "impl_estimator")


def module(folder, text, monkeypatch):
    (folder / "wrong_port.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    return "wrong_port"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("training_dataset(replace(task, seed=task.seed + 1))", "order of samples, from batch 1"),
        (
            "training_dataset(task).map(lambda x, y: (x / 200, y))",
            "sample 0, in batch 1, first values",
        ),
        ("training_dataset(task).map(lambda x, y: (x[:16], y[:16]))", "samples received"),
        ("training_dataset(task).map(lambda x, y: (x, 1 - y))", "label of sample 0"),
    ],
)
def test_other_data_is_named_first(change, what, tmp_path, monkeypatch):
    wrong = module(tmp_path, WRONG.format(change=change), monkeypatch)
    parity = compare("impl_lowlevel", wrong, ComparisonSetting(steps=3))
    assert parity.first_different.name == "data"
    assert parity.first_different.difference.what.startswith(what)


@pytest.mark.slow
def test_a_module_and_a_function_can_be_compared(tmp_path):
    (tmp_path / "port.py").write_text(
        "from impl_keras.network import build_network\n"
        "import tensorflow as tf\n"
        "def make():\n"
        "    model = build_network(130, 2, 'logits')\n"
        "    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n"
        "    model.compile(tf.keras.optimizers.Adam(1e-3), loss)\n"
        "    return model\n"
    )
    parity = compare("impl_lowlevel", f"{tmp_path}/port.py:make", ComparisonSetting(steps=5))
    assert parity.same, parity.first_different
    assert parity.stages[0].verdict == "not seen"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:build", "there is no module 'no_such_module'"),
        ("no_such_file.py:build", "there is no file no_such_file.py"),
        (f"{PORTS}:nothing", "has no 'nothing'; it has"),
        (f"{PORTS}:NUMBER", "it is int, of no known kind"),
        (f"{PORTS}:returns_nothing", "it returned NoneType, of no known kind"),
        (f"{PORTS}:takes_something_else", "it takes (images, targets), so it is of no known kind"),
        (f"{PORTS}:not_compiled", "its model is not compiled"),
        ("bench.task", "has no train(task, observer)"),
    ],
)
def test_what_cannot_be_compared_is_said_with_its_side(name, message):
    with pytest.raises(UserError, match=r"^candidate") as error:
        compare(f"{PORTS}:model", name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_reference_whose_loss_is_no_number_is_refused_and_a_candidates_is_a_difference():
    with pytest.raises(UserError, match=r"^reference .* its loss is nan at the start"):
        compare(f"{PORTS}:not_a_number", f"{PORTS}:model")
    assert (
        compare(
            f"{PORTS}:model", f"{PORTS}:not_a_number", ComparisonSetting(steps=3)
        ).first_different.name
        == "forward"
    )


@pytest.mark.slow
def test_a_port_that_never_returns_is_given_up():
    with pytest.raises(UserError, match=r"candidate .* did not return from 'load' within 10 s"):
        compare(f"{PORTS}:model", f"{PORTS}:never_returns", ComparisonSetting(timeout=10))


@pytest.mark.slow
def test_functions_without_declared_shapes_need_a_batch():
    with pytest.raises(UserError, match="declares its input shapes: give --batch"):
        compare(f"{PORTS}:graph", f"{PORTS}:transposed")


def test_a_module_whose_training_is_not_seen_is_told_so(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="candidate wrong_port: its training was not seen"):
        compare("impl_keras", module(tmp_path, CUSTOM, monkeypatch), ComparisonSetting(steps=3))


@pytest.mark.slow
def test_variables_of_other_shapes_cannot_be_matched(tmp_path):
    (tmp_path / "other.py").write_text(
        "import tensorflow as tf\n"
        "def make():\n"
        "    dense = tf.keras.layers.Dense(5, use_bias=False)\n"
        "    model = tf.keras.Sequential([tf.keras.Input([12]), dense])\n"
        "    model.compile('sgd', 'mse')\n"
        "    return model\n"
    )
    with pytest.raises(UserError, match="no variable of candidate"):
        compare(f"{PORTS}:model", f"{tmp_path}/other.py:make")


def test_a_ports_own_exception_has_its_own_traceback(tmp_path):
    np.savez(tmp_path / "batch.npz", x=np.zeros((5, 12), np.float32), labels=np.zeros(5, np.int64))
    with pytest.raises(
        PortError, match=r"candidate .*:raises raised ValueError: Dimensions must be equal"
    ) as error:
        compare(
            f"{PORTS}:model", f"{PORTS}:raises", ComparisonSetting(batch=tmp_path / "batch.npz")
        )
    lines = error.value.traceback_text.splitlines()
    assert lines[0].strip().startswith(f'File "{PORTS}"')
    assert "tf.matmul(features, tf.zeros([99, 3]))" in lines[1]


@pytest.mark.parametrize(
    ("arrays", "message"),
    slow_after(
        1,
        [
            ({"x": np.zeros((5, 12))}, "needs an array 'labels'"),
            ({"labels": np.zeros(5)}, "at least one other"),
            ({"x": np.zeros((5, 12)), "labels": np.zeros(4)}, "differ in their number of samples"),
            ({"x": np.zeros((0, 12)), "labels": np.zeros(0)}, "are empty"),
            (
                {"x": np.array([{}], object), "labels": np.zeros(1)},
                "cannot be read as an npz file of plain arrays",
            ),
            (None, "cannot be read"),
        ],
    ),
)
def test_a_bad_batch_is_refused(arrays, message, tmp_path):
    path = tmp_path / "batch.npz"
    path.write_text("no zip") if arrays is None else np.savez(path, **arrays)
    process = run_module("bench", "parity", f"{PORTS}:model", f"{PORTS}:model", "--batch", path)
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    slow_after(
        1,
        [
            ("[1]", "must be an object"),
            ("{", "cannot be read as JSON"),
            ('{"nobody": "x"}', "names 'nobody', which the reference"),
        ],
    ),
)
def test_a_bad_map_is_refused(text, message, tmp_path):
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(UserError, match=message):
        compare(f"{PORTS}:model", f"{PORTS}:model", ComparisonSetting(names=tmp_path / "map.json"))


def test_the_command_says_the_same_in_words_and_exits_with_0():
    process = run_module("bench", "parity", f"{PORTS}:model", f"{PORTS}:subclassed", "--steps", "5")
    assert process.returncode == 0, process.stderr
    assert all(stage in process.stdout for stage in STAGE_NAMES)
    assert "The same network, as far as can be seen: not data" in process.stdout


def test_the_command_names_the_first_difference_and_exits_with_1():
    process = run_module(
        "bench", "parity", f"{PORTS}:model", f"{PORTS}:wrong_loss_sum", "--steps", "5", "--json"
    )
    assert process.returncode == 1, process.stderr
    answer = json.loads(process.stdout)
    assert answer["first_different"] == "loss"
    assert not answer["same"]
    different = [
        stage for stage in json.loads(process.stdout)["stages"] if stage["verdict"] == "different"
    ]
    assert different[0]["difference"]["what"] == "reduction"


@pytest.mark.slow
def test_the_command_exits_with_2_and_shows_the_traceback_of_a_port(tmp_path):
    np.savez(tmp_path / "batch.npz", x=np.zeros((5, 12), np.float32), labels=np.zeros(5, np.int64))
    process = run_module(
        "bench", "parity", f"{PORTS}:raises", f"{PORTS}:model", "--batch", tmp_path / "batch.npz"
    )
    assert process.returncode == 2
    assert "in raises" in process.stderr
    assert process.stderr.splitlines()[-1].startswith(
        f"error: reference {PORTS}:raises raised ValueError"
    )
