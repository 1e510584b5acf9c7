"""The stages by themselves, asked of a network written in NumPy: no process and no TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from bench.parity.comparison_state import WatchedTrainings
from bench.parity.inputs import Inputs, part
from bench.parity.matching import match_variables
from bench.parity.pairing import Pairing, View
from bench.parity.port import (
    Activation,
    Curve,
    Loss,
    Optimizer,
    PortBatch,
    Received,
    Variable,
    train_curve,
)
from bench.parity.rounding import ULP
from bench.parity.stages.curve import curve_stage
from bench.parity.stages.forward import forward_stage
from bench.parity.stages.metrics import metrics_stage
from bench.parity.stages.objective import gradients_stage, loss_stage
from bench.parity.stages.structure import (
    data_stage,
    initial_stage,
    same_samples,
    variables_stage,
)
from bench.parity.stages.update import learning_rate_steps, update_stage

KERNEL, BIAS = "dense/kernel", "dense/bias"
CLASSES = 3
SAMPLES = 20


class Dense:
    """A `bench.parity.port.Port`: a dense layer and a softmax, trained by gradient descent."""

    rate = 0.1

    def set_weights(self, weights):
        self.variables, self.done = dict(weights), 0

    def weights(self):
        return dict(self.variables)

    def outputs(self, features):
        return features["x"] @ self.variables[KERNEL] + self.variables[BIAS]

    def forward(self, features, training, draw):
        product = features["x"] @ self.variables[KERNEL]
        return [
            Activation("dense/MatMul", "MatMul", product),
            Activation("dense/BiasAdd", "BiasAdd", product + self.variables[BIAS]),
        ]

    def probabilities(self, features):
        outputs = self.outputs(features)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def per_sample(self, batch):
        outputs = self.outputs(batch.features)
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(batch)), batch.labels]
        return np.log(np.exp(shifted).sum(axis=1)) - chosen

    def regularisation(self):
        return 0.0

    def loss(self, batch, training, draw):
        losses, extra = self.per_sample(batch), self.regularisation()
        return Loss(float(losses.mean() + extra), losses, extra)

    def gradients(self, batch, draw):
        error = self.probabilities(batch.features)
        error[np.arange(len(batch)), batch.labels] -= 1
        error /= len(batch)
        return {KERNEL: batch.features["x"].T @ error, BIAS: error.sum(axis=0)}

    def optimizer(self):
        return Optimizer("GradientDescent", fused=True)

    def move(self, gradients, factor=1.0):
        for name, gradient in gradients.items():
            value = self.variables[name]
            self.variables[name] = (value - factor * self.rate * gradient).astype(value.dtype)

    def step(self, batch, draw, rate_factor=1.0):
        value = self.loss(batch, True, draw).value
        self.move(self.gradients(batch, draw), rate_factor)
        self.done += 1
        return value

    def apply(self, gradients, batch):
        self.move(gradients)
        return True

    def slots(self):
        return {}

    def steps_counted(self):
        return self.done

    def learning_rates(self, steps, batch):
        return np.full(len(steps), self.rate, np.float32)

    def curve(self, batches, steps):
        return train_curve(self, batches, steps)

    def evaluate(self, batches):
        losses = np.concatenate([self.per_sample(batch) for batch in batches])
        return {"loss": float(losses.mean())}


def asked(port):
    return lambda name, *arguments: getattr(port, name)(*arguments)


def paired(reference, candidate, steps=20, exact=Dense):
    """What stages ask of two ports that are functions; `exact` is computed in float64."""
    generator = np.random.default_rng(0)
    variables = [
        Variable(KERNEL, (4, CLASSES), "float32", True, (0, 1)),
        Variable(BIAS, (CLASSES,), "float32", True, (0,)),
    ]
    weights = {
        variable.name: generator.standard_normal(variable.shape).astype(np.float32)
        for variable in variables
    }
    batch = PortBatch(
        {"x": generator.standard_normal((SAMPLES, 4)).astype(np.float32)},
        generator.integers(0, CLASSES, SAMPLES),
    )
    evaluation = [part(batch, 0, 8), part(batch, 8, 16), part(batch, 16, SAMPLES)]
    match = match_variables(variables, variables, {})
    pairing = Pairing(
        View(asked(reference)),
        View(asked(candidate), match),
        match,
        Inputs([batch], evaluation, "drawn"),
        weights,
        lambda: View(asked(exact()), dtype=np.float64) if exact else None,
        steps,
    )
    return SimpleNamespace(pairing=pairing, match=match, trainings=None)


ALL = (forward_stage, loss_stage, gradients_stage, update_stage, curve_stage, metrics_stage)


@pytest.mark.parametrize("stage", ALL)
def test_the_same_network_is_the_same_to_the_bit(stage):
    assert stage(paired(Dense(), Dense())).verdict == "bit"


class Reordered(Dense):
    """Sums in another order, which rounds otherwise."""

    def outputs(self, features):
        return (features["x"][:, ::-1] @ self.variables[KERNEL][::-1]) + self.variables[BIAS]

    def forward(self, features, training, draw):
        product, outputs = super().forward(features, training, draw)
        value = self.outputs(features)
        return [
            Activation(product.name, product.operation, value - self.variables[BIAS]),
            Activation(outputs.name, outputs.operation, value),
        ]


@pytest.mark.parametrize("stage", ALL)
def test_sums_in_another_order_are_rounding(stage):
    assert stage(paired(Dense(), Reordered())).verdict in ("bit", "rounding")


class Listed(Dense):
    """Shows activations of given operations and values, for all samples the same."""

    def __init__(self, *activations):
        self.shown = activations

    def forward(self, features, training, draw):
        rows = len(features["x"])
        return [
            Activation(f"layer{number}", operation, np.tile(np.float32(values), (rows, 1)))
            for number, (operation, values) in enumerate(self.shown)
        ]


@pytest.mark.parametrize(
    ("reference", "candidate", "verdict"),
    [
        pytest.param(
            [("Relu", [1, 2]), ("Softmax", [1, 3])],
            [("Maximum", [5, 2]), ("Softmax", [1, 3])],
            "bit",
            id="another operation, and what follows agrees: another way to compute one layer",
        ),
        pytest.param(
            [("Relu", [1, 2]), ("Softmax", [1, 3])],
            [("Relu", [5, 2]), ("Softmax", [1, 3])],
            "different",
            id="the same operation",
        ),
        pytest.param(
            [("Softmax", [1, 3]), ("Relu", [1, 2])],
            [("Softmax", [1, 3]), ("Maximum", [5, 2])],
            "different",
            id="nothing follows that agrees",
        ),
        pytest.param(
            [("Relu", [1, 2]), ("Softmax", [0, 0])],
            [("Maximum", [5, 2]), ("Softmax", [0, 0])],
            "different",
            id="what follows is constant and says nothing",
        ),
    ],
)
def test_a_layer_computed_otherwise_is_excused_by_what_follows(reference, candidate, verdict):
    state = paired(Listed(*reference), Listed(*candidate), exact=None)
    assert forward_stage(state).verdict == verdict


def test_a_difference_in_training_mode_alone_is_seen():
    class Doubled(Dense):
        def forward(self, features, training, draw):
            return [
                Activation(each.name, each.operation, each.value * (2 if training else 1))
                for each in super().forward(features, training, draw)
            ]

    stage = forward_stage(paired(Dense(), Doubled()))
    assert stage.verdict == "different"
    assert stage.difference.what.startswith("training mode, dense/MatMul")


@pytest.mark.parametrize(("mib", "samples"), [(1, 16), (9, 2)])
def test_large_layers_are_compared_of_fewer_samples_but_of_two_at_least(mib, samples):
    class Large(Dense):
        def forward(self, features, training, draw):
            value = np.broadcast_to(np.float32(1), (len(features["x"]), mib * 2**18))
            return [Activation("large", "Relu", value)]

    stage = forward_stage(paired(Large(), Large()))
    assert f" of {samples} samples" in stage.compared


class Dropout(Dense):
    """Drops values in training mode, in an order of its own, and scales before or after."""

    def __init__(self, seed, dropped=0.5, scaled="after", size=64):
        self.seed, self.dropped, self.scaled, self.size = seed, dropped, scaled, size

    def forward(self, features, training, draw):
        values = np.ones((len(features["x"]), self.size), np.float32)
        generator = np.random.default_rng([self.seed, draw])
        kept = generator.random(values.shape) >= self.dropped if training else True
        scale = np.float32(2 if training else 1)
        dropped = Activation("drop/Select", "SelectV2", values * kept)
        whole = Activation("drop/Mul", "Mul", values * kept * scale)
        if self.scaled == "after":
            return [dropped, whole]
        return [Activation("drop/Mul", "Mul", values * scale), whole]


def test_random_layers_are_compared_by_their_statistics():
    state = paired(Dropout(0), Dropout(1), exact=None)
    assert forward_stage(state).verdict == "rounding"
    assert state.pairing.random
    assert not state.pairing.aligned
    later = [other(state).verdict for other in (gradients_stage, update_stage, curve_stage)]
    assert later == ["not seen"] * 3


def test_a_slightly_other_share_of_dropped_values_is_a_difference():
    stage = forward_stage(paired(Dropout(0), Dropout(1, dropped=0.54), exact=None))
    assert stage.verdict == "different"
    assert "share of zeros" in stage.difference.what


def test_a_port_may_scale_before_it_drops():
    stage = forward_stage(paired(Dropout(0), Dropout(1, scaled="before"), exact=None))
    assert stage.verdict == "rounding"


def test_a_port_that_drops_nothing_is_different():
    stage = forward_stage(paired(Dropout(0), Dropout(1, dropped=0.0), exact=None))
    assert stage.verdict == "different"
    assert (stage.difference.reference, stage.difference.candidate) == ("random", "always the same")


class Drawn(Dense):
    """Has known losses: `slopes` [steps] times the kernel's first weight, plus `off` [steps]."""

    def __init__(self, slopes, off=0.0):
        self.slopes, self.off = np.array(slopes, float), off

    def curve(self, batches, steps):
        losses = self.slopes * float(self.variables[KERNEL][0, 0]) + self.off
        return Curve(losses, np.ones(steps))


def ulp_of_first_weight():
    return ULP * abs(float(paired(Dense(), Dense()).pairing.weights[KERNEL][0, 0]))


def test_a_curve_may_part_as_far_as_the_reference_has_parted_from_itself_before():
    slopes = [1, 1000, 1, 1]
    for step, verdict in ((0, "different"), (2, "rounding")):
        off = np.zeros(4)
        off[step] = 100 * ulp_of_first_weight()
        stage = curve_stage(paired(Drawn(slopes), Drawn(slopes, off), steps=4))
        assert stage.verdict == verdict


def test_the_first_step_beyond_the_tolerance_is_named():
    off = [0, 0, 1.0, 0, 5.0]
    stage = curve_stage(paired(Drawn([1] * 5), Drawn([1] * 5, off), steps=5))
    assert stage.difference.what == "loss from step 3 on"


def test_what_updates_differ_by_may_add_up_over_the_curve():
    slopes = np.ones(20)
    parted = 1e-4
    for times, verdict in ((100, "rounding"), (200, "different")):  # 8 x 20 steps = 160
        state = paired(Drawn(slopes), Drawn(slopes, times * parted), steps=20)
        state.pairing.after_three = {KERNEL: np.full((4, CLASSES), parted)}
        assert curve_stage(state).verdict == verdict


class Predicting(Dense):
    """Outputs that are given, [samples of the evaluation, classes], and metrics by name."""

    def __init__(self, outputs, **metrics):
        self.given, self.metrics = np.float32(outputs), metrics

    def forward(self, features, training, draw):
        rows = np.arange(len(features["x"]))
        return [Activation("outputs", "MatMul", self.given[rows % len(self.given)])]

    def evaluate(self, batches):
        return self.metrics


def test_predictions_are_counted_by_their_largest_output_and_by_their_label():
    first, second, third = [3, 2, 1], [2, 3, 1], [3, 1, 2]
    same = metrics_stage(paired(Predicting([first, second]), Predicting([first, second])))
    assert same.verdict == "bit"
    other = metrics_stage(paired(Predicting([first]), Predicting([second]), exact=None))
    assert other.difference.what.startswith("counts of (label, predicted)")
    order = metrics_stage(paired(Predicting([first]), Predicting([third]), exact=None))
    assert order.verdict == "bit"
    swapped = paired(Predicting([first, second]), Predicting([second, first]), exact=None)
    assert metrics_stage(swapped).verdict == "different"


@pytest.mark.parametrize(
    "name", ["acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy"]
)
def test_an_accuracy_is_compared_by_whatever_name(name):
    outputs = [[1, 0, 0]]
    for value, verdict in ((0.5, "bit"), (0.75, "different")):
        state = paired(
            Predicting(outputs, accuracy=0.5), Predicting(outputs, **{name: value}), exact=None
        )
        stage = metrics_stage(state)
        assert stage.compared.startswith("accuracy, ")
        assert stage.verdict == verdict


def received(digests="aabbccdd", sizes=(4, 4), losses=(), evaluations=(), labels=None):
    count = len(digests)
    return Received(
        list(digests),
        np.arange(count) % 2 if labels is None else np.array(labels),
        np.arange(count * 2).reshape(count, 2),
        list(sizes),
        "float32",
        "int64",
        list(losses),
        list(evaluations),
    )


def trained(reference, candidate, random=False):
    """What stages ask of two trainings, which received something and reported something."""
    trainings = WatchedTrainings(None, reference, candidate)
    return SimpleNamespace(trainings=trainings, pairing=SimpleNamespace(random=random))


def test_losses_that_are_random_are_not_compared_and_others_are():
    metrics = [{"loss": 1.0}]
    sides = received(losses=[1, 2], evaluations=metrics), received([], (), [1, 3], metrics)
    assert metrics_stage(trained(*sides, random=True)).verdict == "bit"
    stage = metrics_stage(trained(*sides))
    assert stage.difference.what.startswith("training losses as reported")


def test_the_evaluation_of_the_initial_weights_is_compared():
    reference = received(evaluations=[{"loss": 1.0}, {"loss": 2.0}])
    assert metrics_stage(trained(reference, reference)).verdict == "bit"
    later = received(evaluations=[{"loss": 1.0}, {"loss": 3.0}])
    assert metrics_stage(trained(reference, later)).verdict == "bit"
    first = received(evaluations=[{"loss": 3.0}, {"loss": 2.0}])
    assert metrics_stage(trained(reference, first)).verdict == "different"


class Regularised(Dense):
    def regularisation(self):
        return 0.25


def test_a_reduction_is_found_beside_a_regularisation():
    class Summed(Regularised):
        def loss(self, batch, training, draw):
            losses = self.per_sample(batch)
            return Loss(float(losses.sum() + 0.25), losses, 0.25)

    class LeftOut(Regularised):
        def loss(self, batch, training, draw):
            losses = self.per_sample(batch)
            return Loss(float(losses.mean()), losses, 0.25)

    stage = loss_stage(paired(Regularised(), Regularised()))
    assert stage.compared == f"{SAMPLES} samples, reduced by mean over samples"
    stage = loss_stage(paired(Regularised(), Summed()))
    assert stage.difference.what == "reduction"
    assert stage.difference.candidate.startswith("sum over samples = ")
    stage = loss_stage(paired(Regularised(), LeftOut()))
    assert stage.difference.candidate.startswith("mean over samples, regularisation left out = ")


def test_losses_that_differ_come_before_their_reduction():
    class Wrong(Dense):
        def loss(self, batch, training, draw):
            losses = self.per_sample(batch) * 2
            return Loss(float(losses.sum()), losses, 0.0)

    stage = loss_stage(paired(Dense(), Wrong()))
    assert stage.difference.what.startswith("per-sample losses, evaluation mode")


class Unstable(Dense):
    """Takes the logarithm of probabilities, which are 0 where outputs saturate."""

    def per_sample(self, batch):
        chosen = self.probabilities(batch.features)[np.arange(len(batch)), batch.labels]
        with np.errstate(divide="ignore"):
            return -np.log(chosen)


def test_saturated_outputs_are_compared_where_the_reference_has_a_loss_of_them():
    assert loss_stage(paired(Dense(), Unstable())).difference.what.startswith("losses of saturated")
    assert loss_stage(paired(Unstable(), Dense())).verdict == "rounding"


class Silent(Dense):
    """Gives no gradient to some variables: zero, or None."""

    def __init__(self, **given):
        self.given = given

    def gradients(self, batch, draw):
        found = super().gradients(batch, draw)
        return {**found, **{KERNEL: np.zeros_like(found[KERNEL])}, **self.given}


def test_a_network_without_any_gradient_is_noted_and_one_with_some_is_not():
    nothing = {BIAS: np.zeros(CLASSES, np.float32)}
    some = gradients_stage(paired(Silent(), Silent()))
    every = gradients_stage(paired(Silent(**nothing), Silent(**nothing)))
    assert not some.notes
    assert "every gradient is exactly 0" in every.notes[0]


def test_no_gradient_is_not_a_gradient_of_zero():
    stage = gradients_stage(paired(Silent(), Silent(**{KERNEL: None})))
    assert stage.verdict == "different"
    assert (stage.difference.reference, stage.difference.candidate) == ("norm 0", "None")


def test_the_first_sample_of_a_batch_belongs_to_it():
    stage = data_stage(trained(received("abcdefgh"), received("abcdefxh")))
    assert stage.difference.what.startswith("sample 6, in batch 2")
    stage = data_stage(trained(received("abcdefgh"), received("abcdxfgh")))
    assert stage.difference.what.startswith("sample 4, in batch 2")
    stage = data_stage(trained(received("abcdefgh"), received("abcxefgh")))
    assert stage.difference.what.startswith("sample 3, in batch 1")


def test_the_same_samples_are_the_same_as_often():
    assert same_samples(received("aabc"), received("cbaa"))
    assert not same_samples(received("aabc"), received("abbc"))


def test_sizes_and_labels_are_compared_where_samples_agree():
    assert data_stage(trained(received(), received())).verdict == "bit"
    stage = data_stage(trained(received(sizes=(4, 4)), received(sizes=(4, 2, 2))))
    assert stage.difference.what == "size of batch 2"
    stage = data_stage(trained(received(labels=[0] * 8), received(labels=[0] * 5 + [1] + [0] * 2)))
    assert stage.difference.what == "label of sample 5"


def initial(reference, candidate, given=False):
    """The stage of two sides' draws: a list of weights each."""
    variables = [
        Variable(name, value.shape, "float32", True, tuple(range(value.ndim)))
        for name, value in reference[0].items()
    ]
    state = SimpleNamespace(
        initial_weights=(reference, candidate),
        match=match_variables(variables, variables, {}),
        weights_given=given,
        check_reference_loss=lambda: None,
    )
    return initial_stage(state)


def test_initialisers_of_one_distribution_are_hardly_ever_called_different():
    generator = np.random.default_rng(0)
    for _ in range(60):
        sides = [
            [{"kernel": generator.standard_normal((8, 8)).astype(np.float32)} for _ in range(4)]
            for _ in range(2)
        ]
        assert initial(*sides).verdict == "rounding"


def test_the_chance_of_an_error_is_shared_by_all_variables():
    values = np.linspace(0, 1, 1000, dtype=np.float32)
    shifted = values + np.float32(0.107)
    assert 1e-6 < ks_2samp(values, shifted).pvalue < 1e-4
    assert initial([{"kernel": values}], [{"kernel": shifted}]).verdict == "different"
    others = {f"kernel{number}": np.array([number, 1 + number], np.float32) for number in range(99)}
    stage = initial([{**others, "kernel": values}], [{**others, "kernel": shifted}])
    assert stage.verdict == "rounding"


def test_constant_initialisers_are_compared_by_their_constant():
    zeros, ones = [{"bias": np.zeros(4, np.float32)}], [{"bias": np.ones(4, np.float32)}]
    assert initial(zeros, zeros).verdict == "rounding"
    assert initial(zeros, ones).verdict == "different"


def test_given_weights_are_to_be_equal_to_the_bit():
    value = np.ones(4, np.float32)
    near = np.nextafter(value, np.float32(2))
    sides = [{"kernel": value}], [{"kernel": near}]
    assert initial(*sides, given=True).verdict == "different"
    assert initial(sides[0], sides[0], given=True).verdict == "bit"


def update(candidate, reference=None):
    return update_stage(paired(reference or Dense(), candidate))


def test_a_difference_after_three_steps_is_an_updates():
    class Late(Dense):
        def step(self, batch, draw, rate_factor=1.0):
            value = super().step(batch, draw, rate_factor)
            if self.done == 3:
                self.variables[KERNEL] = self.variables[KERNEL] * np.float32(1.5)
            return value

    assert update(Late()).difference.what.startswith(f"after step 3, {KERNEL}")


def test_a_rate_that_cannot_be_changed_is_an_updates():
    class Fixed(Dense):
        def move(self, gradients, factor=1.0):
            super().move(gradients)

    assert update(Fixed()).difference.what.startswith("after a change of the learning rate")


@pytest.mark.parametrize("lost", [1e-2, 1e-5])
def test_small_gradients_are_given_in_two_sizes(lost):
    """Gradients smaller than `lost` are not applied."""

    class Lossy(Dense):
        def apply(self, gradients, batch):
            if np.abs(gradients[KERNEL]).max() > lost:
                return super().apply(gradients, batch)
            return super().apply({name: value * 0 for name, value in gradients.items()}, batch)

    class Fast(Dense):
        rate = 1e3

    class FastLossy(Lossy):
        rate = 1e3

    scale = "0.001" if lost == 1e-2 else "1e-06"
    what = update(FastLossy(), Fast()).difference.what
    assert what.startswith(f"after gradients of {scale} of their size")


def test_steps_are_counted_where_the_rate_depends_on_them():
    class Miscounting(Dense):
        def steps_counted(self):
            return 7

    class Scheduled(Dense):
        def learning_rates(self, steps, batch):
            return np.linspace(0.1, 0.01, len(steps), dtype=np.float32)

    class Both(Miscounting, Scheduled):
        pass

    assert update(Miscounting()).verdict == "bit"
    assert update(Both(), Scheduled()).difference.what.startswith("steps counted, after step 3")


def test_slots_without_partners_are_noted():
    class Slots(Dense):
        def slots(self):
            return {KERNEL: [("momentum", np.zeros((4, CLASSES), np.float32))]}

    assert not update(Slots(), Slots()).notes
    notes = update(Dense(), Slots()).notes
    assert notes == ["slots not seen: 1 a variable in the reference, 0 in the candidate"]


def test_the_rate_is_looked_at_over_all_steps_and_far_beyond():
    assert learning_rate_steps(3) == [0, 1, 2, 3, 100, 1000, 10_000, 100_000, 1_000_000]
    assert learning_rate_steps(100)[-5:] == [100, 1000, 10_000, 100_000, 1_000_000]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"trainable": False}, "trainable of dense/kernel"),
        ({"dtype": "float64"}, "dtype of dense/kernel"),
        ({"shape": (5, 3)}, "variables without a partner (--map FILE can name it)"),
    ],
)
def test_variables_are_compared_by_shape_type_and_whether_they_are_trained(change, what):
    variable = Variable(KERNEL, (4, 3), "float32", True, (0, 1))
    match = match_variables([variable], [replace(variable, **change)], {})
    assert variables_stage(SimpleNamespace(match=match)).difference.what == what
    renamed = match_variables([variable], [replace(variable, name="a/w")], {})
    assert variables_stage(SimpleNamespace(match=renamed)).verdict == "bit"
