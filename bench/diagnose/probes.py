"""What a port shows of itself when it is asked: its modes and its loss, at given weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.diagnose.formulas import Formula, losses_of, recognise
from bench.parity.pairing import View
from bench.parity.port import Activation, Loss, PortBatch, Weights
from bench.parity.rounding import same_bits

SAMPLES = 16
"""Samples whose activations are looked at: those of 60,000 values take 1 MiB each."""

LINEAR = ("Add", "AddV2", "BiasAdd", "MatMul")
MODERATE = 3.0

LAST = 6
"""Activations before the loss among which its input is looked for."""


@dataclass(frozen=True)
class Modes:
    """Activations when evaluating and when training, by place; whether either is drawn at random, place by place."""

    evaluation: list[Activation]
    training: list[Activation]
    evaluation_again: list[Activation]
    training_again: list[Activation]

    @property
    def random_in_evaluation(self) -> bool:
        return differ(self.evaluation, self.evaluation_again)

    @property
    def random_in_training(self) -> bool:
        return differ(self.training, self.training_again)

    @property
    def alike(self) -> bool:
        """Whether training and evaluating are the same computation."""
        return not differ(self.evaluation, self.training)

    def dropped(self) -> tuple[str, float] | None:
        """The first operation that draws at random in training, and the share of the values it was given that it drops."""
        for before, first, again in zip(self.training, self.training[1:], self.training_again[1:]):
            if not same_bits(first.value, again.value):
                alive = (
                    before.value != 0
                    if before.value.shape == first.value.shape
                    else np.ones(first.value.shape, bool)
                )
                return first.name, float(np.mean(first.value[alive] == 0)) if alive.any() else 0.0
        return None


def differ(first: list[Activation], second: list[Activation]) -> bool:
    """Whether activations have other values anywhere."""
    values = [[activation.value for activation in side] for side in (first, second)]
    return len(first) != len(second) or any(
        not same_bits(one, other) for one, other in zip(*values)
    )


def modes_of(view: View, weights: Weights, batch: PortBatch) -> Modes:
    """Runs the network in both modes, twice with other random numbers."""
    features = {name: value[:SAMPLES] for name, value in batch.features.items()}
    view.set_weights(weights)
    return Modes(
        *(
            view.ask("forward", features, training, draw)
            for draw in (0, 1)
            for training in (False, True)
        )
    )


@dataclass(frozen=True)
class LossFacts:
    """`formula` with which the losses of samples come from the activation `of`, None where none is known; `loss` and
    `labels` of the batch."""

    loss: Loss
    outputs: list[Activation]
    labels: np.ndarray
    formula: Formula | None
    of: Activation | None

    @property
    def last(self) -> Activation:
        """What the loss takes, or, where that is not known, the last activation."""
        return self.of if self.of is not None else self.outputs[-1]

    @property
    def takes(self) -> str:
        """`logits`, `probabilities` or `values`, or nothing where the formula is not known."""
        return self.formula.takes if self.formula is not None else ""

    @property
    def activated(self) -> str:
        """The operation that made probabilities of what the loss takes, or nothing."""
        return (
            self.of.operation
            if self.of is not None and self.of.operation in ("Sigmoid", "Softmax")
            else ""
        )

    @property
    def cause(self) -> str:
        """What is wrong with it in itself, or nothing."""
        if self.formula is None:
            return ""
        if self.formula.cause:
            return self.formula.cause
        if self.formula.takes == "logits" and (self.activated or self._looks_activated()):
            return "activated_outputs"
        if (
            self.formula.takes == "probabilities"
            and not self.activated
            and not self._looks_activated()
        ):
            return "probabilities_expected"
        return ""

    def _looks_activated(self) -> bool:
        """Whether what the loss takes lies in [0, 1] with rows that add up to 1."""
        values = self.of.value
        return bool(
            values.min() >= 0
            and values.max() <= 1
            and np.allclose(values.sum(axis=1), 1, atol=1e-4)
            and values.shape[1] > 1
        )


def moderation(view: View, weights: Weights, batch: PortBatch) -> float:
    """By what outputs are to be multiplied to be of size `MODERATE` at most: formulas that differ for those agree for
    saturated ones."""
    view.set_weights(weights)
    last = view.ask("forward", view.batch(batch).features, False, 0)[-LAST:]
    linear = [
        activation.value
        for activation in last
        if activation.operation in LINEAR and activation.value.ndim == 2
    ]
    size = float(np.abs(linear[-1]).max()) if linear else 0.0
    return MODERATE / size if np.isfinite(size) and size > MODERATE else 1.0


def loss_facts(view: View, weights: Weights, batch: PortBatch) -> LossFacts:
    """The loss of a batch in evaluation mode, and which formula it is of which of the last activations."""
    view.set_weights(weights)
    batch = view.batch(batch)
    loss = view.ask("loss", batch, False, 0)
    outputs = view.ask("forward", batch.features, False, 0)[-LAST:]
    losses = loss.per_sample
    for activation in reversed(outputs):
        formula = recognise(activation.value, batch.labels, losses) if losses is not None else None
        if formula is not None:
            return LossFacts(loss, outputs, batch.labels, formula, activation)
    return LossFacts(loss, outputs, batch.labels, None, None)


def value_of_hidden_logits(facts: LossFacts) -> tuple[float, float] | None:
    """If the value that is minimised is the loss of what comes before the outputs, and not of the outputs: both, (reported, of
    the predictions)."""
    losses = facts.loss.per_sample
    if losses is None or facts.of is None or not np.isfinite(facts.loss.value):
        return None
    rest = facts.loss.value - facts.loss.regularisation
    if np.isclose(rest, losses.mean(), rtol=1e-3, atol=1e-5) or np.isclose(
        rest, losses.sum(), rtol=1e-3, atol=1e-5
    ):
        return None
    place = next(place for place, activation in enumerate(facts.outputs) if activation is facts.of)
    for before in facts.outputs[:place]:
        if (
            before.value.shape == facts.of.value.shape
            and recognise(before.value, facts.labels, losses) is None
        ):
            hidden = losses_of(facts.formula, before.value, facts.labels)
            if hidden is not None and np.isclose(rest, hidden.mean(), rtol=1e-3, atol=1e-5):
                return rest, float(losses.mean())
    return None
