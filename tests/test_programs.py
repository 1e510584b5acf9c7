"""Programs as people write them are diagnosed without a change to them."""

import textwrap

import pytest
from conftest import ROOT, slow_after

from bench.diagnose.diagnose import diagnose
from bench.parity import compare
from bench.parity.remote_port import PortError
from bench.process.forkserver import with_forkserver
from bench.task import UserError

DATA = """
import numpy as np
import tensorflow as tf

generator = np.random.default_rng(1)
classes = generator.integers(0, 3, 600)
centres = generator.standard_normal((3, 20)) * 1.5
x = (centres[classes] + generator.standard_normal((600, 20))).astype("float32")
second = (classes == 1).astype("float32")
values = x @ generator.standard_normal((20, 1)).astype("float32") + 1

def network(units, activation=None, inner="relu", **options):
    return tf.keras.Sequential([
        tf.keras.layers.Dense(32, activation=inner, input_dim=20, **options),
        tf.keras.layers.Dense(16, activation=inner, **options),
        tf.keras.layers.Dense(units, activation=activation, **options),
    ])
"""

SESSION = """
v1 = tf.compat.v1
v1.disable_eager_execution()
features, labels = v1.placeholder(tf.float32, [None, 20]), v1.placeholder(tf.int64, [None])
logits = v1.layers.dense(v1.layers.dense(features, 32, tf.nn.relu), 3)
{loss}
train = v1.train.AdamOptimizer(0.003).minimize(loss)
with v1.Session() as session:
    session.run(v1.global_variables_initializer())
    for epoch in range(10):
        order = generator.permutation(600)
        for start in range(0, 600, 32):
            batch = order[start:start + 32]
            session.run(train, {{features: x[batch], labels: classes[batch]}})
    session.run(logits, {{features: x}})
"""


@pytest.fixture(scope="module", autouse=True)
def forkserver():
    with with_forkserver():
        yield


@pytest.fixture
def program(tmp_path):
    def written(text):
        (tmp_path / "program.py").write_text(DATA + textwrap.dedent(text))
        return str(tmp_path / "program.py")

    return written


def keras(
    make,
    optimizer="'adam'",
    loss="'sparse_categorical_crossentropy'",
    labels="classes",
    epochs=20,
    features="x",
):
    return (
        f"model = {make}\nmodel.compile({optimizer}, {loss})\n"
        f"model.fit({features}, {labels}, epochs={epochs}, verbose=0)\n"
    )


@pytest.mark.parametrize(
    "text",
    slow_after(
        1,
        [
            keras("network(3, 'softmax')"),
            keras("network(1, 'sigmoid')", loss="'binary_crossentropy'", labels="second"),
            keras(
                "network(3, 'softmax')",
                loss="'categorical_crossentropy'",
                labels="np.eye(3)[classes]",
            ),
            keras(
                "network(1)",
                "tf.keras.optimizers.Adam(0.003)",
                loss="'mse'",
                labels="values",
                epochs=40,
            ),
            SESSION.format(loss="loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)"),
            """
    def batches():
        samples = tf.data.Dataset.from_tensor_slices(({"x": x}, classes))
        return samples.shuffle(600).repeat().batch(32)

    tf.estimator.DNNClassifier(
        [32, 16],
        [tf.feature_column.numeric_column("x", [20])],
        n_classes=3,
        optimizer=lambda: tf.keras.optimizers.legacy.Adam(0.003),
    ).train(batches, steps=200)
    """,
        ],
    ),
    ids=["softmax", "sigmoid", "one-hot", "regression", "session", "estimator"],
)
def test_nothing_is_wrong_with_sound_programs(program, text):
    found = diagnose(program(text))
    assert (found.state, found.explanations) == ("trained", []), found


@pytest.mark.parametrize(
    ("text", "cause"),
    slow_after(
        1,
        [
            (keras("network(3)"), "probabilities_expected"),
            (
                keras("network(1, 'softmax')", loss="'binary_crossentropy'", labels="second"),
                "classes_of_outputs",
            ),
            (keras("network(1, 'sigmoid')", loss="'binary_crossentropy'"), "classes_of_outputs"),
            (keras("network(2, 'softmax')"), "classes_of_outputs"),
            (keras("network(1, 'sigmoid')", loss="'mse'", labels="values"), "out_of_reach"),
            (
                keras("network(3, 'softmax')", "tf.keras.optimizers.SGD(1e-7)", epochs=3),
                "rate_too_low",
            ),
            (
                keras(
                    "network(1)",
                    "tf.keras.optimizers.SGD(0.5)",
                    loss="'mse'",
                    labels="values * 100",
                    epochs=3,
                ),
                "rate_too_high",
            ),
            (
                keras("network(3, 'softmax', kernel_initializer='zeros')", epochs=3),
                "constant_initialiser",
            ),
            (
                keras(
                    "network(3, 'softmax', bias_initializer=tf.keras.initializers.Constant(-99.0))",
                    epochs=3,
                ),
                "dead_relus",
            ),
            (
                SESSION.format(
                    loss="loss = v1.losses.sparse_softmax_cross_entropy("
                    "labels, tf.nn.softmax(logits))"
                ),
                "activated_outputs",
            ),
            (
                SESSION.format(
                    loss="loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits("
                    "labels=logits, logits=tf.one_hot(labels, 3)))"
                ),
                "swapped_arguments",
            ),
        ],
    ),
    ids=str,
)
def test_causes_are_named_in_programs(program, text, cause):
    found = diagnose(program(text))
    assert [entry.cause for entry in found.explanations][:1] == [cause], found


def test_a_program_whose_training_is_not_seen_and_one_that_raises_are_errors(program):
    with pytest.raises(UserError, match=r"its training was not seen: Model\.fit"):
        diagnose(program("print(x.sum())"))
    with pytest.raises(PortError, match=r"Shapes \(None, 1\) and \(None, 3\) are incompatible"):
        diagnose(program(keras("network(3, 'softmax')", loss="'categorical_crossentropy'")))
    with pytest.raises(
        UserError,
        match=r"candidate .*program\.py: it has no train\(task, observer\), "
        "and a program cannot be compared",
    ):
        compare(f"{ROOT}/tests/ports.py:model", program(keras("network(3)")))
