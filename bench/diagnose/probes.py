"""Probes of a port with fixed weights: its training and evaluation modes, and its loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.diagnose.formulas import Formula, losses_of, recognise
from bench.parity.pairing import View
from bench.parity.port import Activation, Loss, PortBatch, Weights
from bench.parity.rounding import same_bits

SAMPLES = 16
"""Number of samples whose activations are computed: at 60,000 values a sample takes 1 MiB."""

LINEAR = ("Add", "AddV2", "BiasAdd", "MatMul")
"""Operations that a linear layer ends with."""

MODERATE = 3.0
"""Largest size of outputs that are far from saturated."""

LAST = 6
"""Number of activations before the loss of which one may be its input."""


@dataclass(frozen=True)
class Modes:
    """Activations of the same batch in evaluation mode and in training mode, each computed twice.

    The second time has other random numbers.
    """

    evaluation: list[Activation]
    training: list[Activation]
    evaluation_again: list[Activation]
    training_again: list[Activation]

    @property
    def random_in_evaluation(self) -> bool:
        """Whether the activations in evaluation mode are random."""
        return differ(self.evaluation, self.evaluation_again)

    @property
    def random_in_training(self) -> bool:
        """Whether the activations in training mode are random."""
        return differ(self.training, self.training_again)

    @property
    def alike(self) -> bool:
        """Whether training and evaluation mode compute the same."""
        return not differ(self.evaluation, self.training)

    def dropped(self) -> tuple[str, float] | None:
        """Returns the first operation that is random in training, and its share of dropped values.

        Values that are 0 before the operation do not count.
        """
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
    """Returns whether two lists of activations differ in any value."""
    values = [[activation.value for activation in side] for side in (first, second)]
    return len(first) != len(second) or any(
        not same_bits(one, other) for one, other in zip(*values)
    )


def modes_of(view: View, weights: Weights, batch: PortBatch) -> Modes:
    """Runs the network in both modes, each twice with different random numbers."""
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
class RecognisedLoss:
    """A loss whose formula is known.

    Attributes:
        formula: the formula.
        activation: the activation that it takes, [samples, columns].
        losses: the losses of the samples, [samples].
    """

    formula: Formula
    activation: Activation
    losses: np.ndarray

    @property
    def activated(self) -> str:
        """The operation that makes probabilities of the outputs before the loss, or ""."""
        operation = self.activation.operation
        return operation if operation in ("Sigmoid", "Softmax") else ""

    @property
    def cause(self) -> str:
        """The cause of what is wrong with the loss in itself, or ""."""
        if self.formula.cause:
            return self.formula.cause
        probabilities = bool(self.activated) or self._looks_activated()
        if self.formula.takes == "logits" and probabilities:
            return "activated_outputs"
        if self.formula.takes == "probabilities" and not probabilities:
            return "probabilities_expected"
        return ""

    def _looks_activated(self) -> bool:
        """Returns whether the values are in [0, 1] and add up to 1 in every row."""
        values = self.activation.value
        return bool(
            values.min() >= 0
            and values.max() <= 1
            and np.allclose(values.sum(axis=1), 1, atol=1e-4)
            and values.shape[1] > 1
        )


@dataclass(frozen=True)
class LossAnalysis:
    """The loss of a batch, and its formula.

    Attributes:
        loss: the loss.
        outputs: the last activations before it.
        labels: labels of the batch.
        recognised: the loss with its formula; None if no formula fits.
    """

    loss: Loss
    outputs: list[Activation]
    labels: np.ndarray
    recognised: RecognisedLoss | None

    @property
    def last(self) -> Activation:
        """The activation that the loss takes, or, if that is not known, the last one."""
        return self.outputs[-1] if self.recognised is None else self.recognised.activation

    @property
    def takes(self) -> str:
        """What the loss takes: `logits`, `probabilities`, `values`, or "" if not known."""
        return "" if self.recognised is None else self.recognised.formula.takes

    @property
    def cause(self) -> str:
        """The cause of what is wrong with the loss in itself, or ""."""
        return "" if self.recognised is None else self.recognised.cause


def moderation(view: View, weights: Weights, batch: PortBatch) -> float:
    """Returns the factor by which outputs are multiplied so that their size is at most `MODERATE`.

    Different formulas give the same losses for saturated outputs, but not for moderate ones.
    """
    view.set_weights(weights)
    last = view.ask("forward", view.batch(batch).features, False, 0)[-LAST:]
    linear = [
        activation.value
        for activation in last
        if activation.operation in LINEAR and activation.value.ndim == 2
    ]
    size = float(np.abs(linear[-1]).max()) if linear else 0.0
    return MODERATE / size if np.isfinite(size) and size > MODERATE else 1.0


def analyse_loss(view: View, weights: Weights, batch: PortBatch) -> LossAnalysis:
    """Returns the loss of a batch in evaluation mode, with its formula."""
    view.set_weights(weights)
    batch = view.batch(batch)
    loss = view.ask("loss", batch, False, 0)
    outputs = view.ask("forward", batch.features, False, 0)[-LAST:]
    losses = loss.per_sample
    for activation in reversed(outputs) if losses is not None else ():
        formula = recognise(activation.value, batch.labels, losses)
        if formula is not None:
            recognised = RecognisedLoss(formula, activation, losses)
            return LossAnalysis(loss, outputs, batch.labels, recognised)
    return LossAnalysis(loss, outputs, batch.labels, None)


def value_of_hidden_logits(analysis: LossAnalysis) -> tuple[float, float] | None:
    """Returns (loss that is minimised, loss of the predictions), if the two differ in a known way.

    They do if the minimised loss is computed from an activation before the outputs. The result is
    None in all other cases.
    """
    loss, recognised = analysis.loss, analysis.recognised
    if recognised is None or not np.isfinite(loss.value):
        return None
    losses = recognised.losses
    rest = loss.value - loss.regularisation
    if np.isclose(rest, losses.mean(), rtol=1e-3, atol=1e-5) or np.isclose(
        rest, losses.sum(), rtol=1e-3, atol=1e-5
    ):
        return None
    for before in analysis.outputs:
        if before is recognised.activation:
            break
        if (
            before.value.shape == recognised.activation.value.shape
            and recognise(before.value, analysis.labels, losses) is None
        ):
            hidden = losses_of(recognised.formula, before.value, analysis.labels)
            if hidden is not None and np.isclose(rest, hidden.mean(), rtol=1e-3, atol=1e-5):
                return rest, float(losses.mean())
    return None
