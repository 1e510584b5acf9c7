"""What a training that did not learn shows. A sound one may show some of it too."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.training_record import TrainingRecord
from bench.measure.saturation import NO_GRADIENT, alike, right
from bench.parity.result import Explanation

DEAD = 0.95
"""Share of a layer's ReLUs that no sample gets through: SageMaker Debugger's dying ReLU has 0.5 of units at rest."""

ALIKE_OUTPUTS = 1e-3
"""Spread of outputs over samples, relative to their size, below which the network does not look at its input."""

THROWN = 0.3
"""First step's size over its variable's: TheDeepChecker (2022) wants 0.1 at most; Adam at 0.001 measured 0.09 on sound kernels."""

GROWN = 4.0
"""Loss over the smallest of those before: SageMaker Debugger's diverging loss is any growth, single batches scatter by 2."""

HARDLY = 1e-5
"""First step's size over its variable's: TheDeepChecker wants 1e-4 at least; sound ones measured 1e-3 to 9e-2."""

VANISHING = 1e-4
"""First layer's gradient relative to its kernel over the last layer's: AUTOTRAINER (2021) has 1e-3 to 1e-4."""

ONE_CLASS = 0.95

LARGE = 10.0
"""Deviation of features or targets: UMLAUT (2021) warns of inputs outside [-1, 1], LeCun et al. 1998 want a deviation of 1."""

STILL_FALLING = 0.1
"""Of the loss, over the last third of a training: sound trainings that ended measured 0.05 at most in theirs."""


def symptoms(watched: TrainingRecord) -> list[Explanation]:
    """What a training that did not learn shows; the first is the likeliest."""
    rules = (
        _not_finite,
        _thrown,
        _frozen,
        _dead,
        _cut,
        _grown,
        _vanishing,
        _hardly,
        _one_class,
        _large,
        _loss_of_values,
    )
    return [found for rule in rules for found in rule(watched)]


def _not_finite(watched: TrainingRecord) -> list[Explanation]:
    return loss_not_finite(watched.losses, takes_logarithms=watched.takes in ("", "probabilities"))


def loss_not_finite(losses: np.ndarray, takes_logarithms: bool = True) -> list[Explanation]:
    """What ended losses that are not finite any more: a rate too high, if they had grown before or no logarithm of outputs is
    taken, or else a logarithm of 0."""
    wrong = np.flatnonzero(~np.isfinite(losses))
    if not len(wrong):
        return []
    before = losses[: wrong[0]]
    text = f"the loss is {losses[wrong[0]]} from step {wrong[0] + 1} on"
    if not len(before):
        return [explanation("log_of_zero", "loss", text)]
    grown = before[-1] > GROWN * np.median(before[:-1]) if len(before) > 1 else False
    return [
        explanation(
            "rate_too_high" if grown or not takes_logarithms else "log_of_zero",
            "curve",
            f"{text}, after {before[-1]:.4g}",
        )
    ]


def _thrown(watched: TrainingRecord) -> list[Explanation]:
    steps = {
        kernel.name: kernel.step
        for kernel in watched.kernels
        if kernel.trainable and len(kernel.shape) > 1
    }
    if steps and np.median(list(steps.values())) > THROWN:
        return [
            explanation(
                "rate_too_high",
                "update",
                "the first step is, relative to the variable, "
                + ", ".join(f"{name} {step:.2g}" for name, step in steps.items()),
            )
        ]
    return []


def _frozen(watched: TrainingRecord) -> list[Explanation]:
    last = watched.looks[-1] if watched.looks else None
    if last is None or last.gradient_norm > NO_GRADIENT or not last.outputs.size:
        return []
    if last.saturated > 0.99:
        classes = max(last.outputs.shape[-1], 2)
        return [
            explanation(
                "activated_outputs",
                "loss",
                f"every output is 0 or 1, the gradient is {last.gradient_norm:.1g}, and the "
                f"loss stays at {watched.last_losses.mean():.6g} ({right(classes)} + error rate, or {alike(classes)} "
                "where all outputs are alike)",
            )
        ]
    return []


def _dead(watched: TrainingRecord) -> list[Explanation]:
    last = watched.looks[-1] if watched.looks else None
    layers = {name: share for name, share in (last.dead if last else {}).items() if share >= DEAD}
    if not layers or not np.isfinite(last.outputs).all():
        return []
    spread = _spread(last.outputs)
    return [
        explanation(
            "dead_relus",
            "gradients",
            ", ".join(
                f"{share:.0%} of the units of {name} are 0 for every sample"
                for name, share in layers.items()
            )
            + f"; outputs differ by {spread:.2g} of their size from sample to sample, "
            f"and the gradient's norm is {last.gradient_norm:.2g}",
        )
    ]


def _spread(outputs: np.ndarray) -> float:
    size = float(np.abs(outputs).max()) if outputs.size else 0.0
    return float(np.ptp(outputs, axis=0).max() / size) if size else 0.0


def _cut(watched: TrainingRecord) -> list[Explanation]:
    trained = [kernel for kernel in watched.kernels if kernel.trainable]
    still = [kernel.name for kernel in trained if kernel.moved == 0]
    if still and watched.looks:
        norms = watched.looks[0].gradient_norms
        cut = [name for name in still if norms.get(name, 0.0) == 0]
        if cut:
            return [
                explanation(
                    "gradient_cut",
                    "gradients",
                    f"the gradient of {', '.join(cut)} is 0 from the start, and nothing of it "
                    "moves",
                )
            ]
    return []


def _grown(watched: TrainingRecord) -> list[Explanation]:
    losses = watched.losses
    if len(losses) < 10 or not np.isfinite(losses).all():
        return []
    window = np.convolve(losses, np.ones(5) / 5, "valid")
    growth = float(window[-1] / np.minimum.accumulate(window)[-1]) if window.min() > 0 else 1.0
    if growth > GROWN:
        return [
            explanation(
                "rate_too_high",
                "curve",
                f"the loss ends at {growth:.3g} times its smallest (means over 5 steps)",
            )
        ]
    return []


def _vanishing(watched: TrainingRecord) -> list[Explanation]:
    if not watched.looks:
        return []
    last = watched.looks[-1]
    relative = [
        last.gradient_norms[kernel.name] / max(last.weight_norms[kernel.name], 1e-30)
        for kernel in watched.kernels
        if kernel.trainable and len(kernel.shape) > 1 and kernel.name in last.gradient_norms
    ]
    if len(relative) > 2 and relative[-1] > 0 and relative[0] < VANISHING * relative[-1]:
        return [
            explanation(
                "vanishing_gradient",
                "gradients",
                f"the first kernel's gradient, relative to the kernel, is "
                f"{relative[0] / relative[-1]:.2g} of the last one's",
            )
        ]
    return []


def _hardly(watched: TrainingRecord) -> list[Explanation]:
    steps = {
        kernel.name: kernel.step
        for kernel in watched.kernels
        if kernel.trainable and len(kernel.shape) > 1
    }
    moving = [step for step in steps.values() if step > 0]
    if moving and np.median(moving) < HARDLY:
        return [
            explanation(
                "rate_too_low",
                "update",
                f"a step moves a variable by {np.median(moving):.2g} of itself",
            )
        ]
    return []


def _one_class(watched: TrainingRecord) -> list[Explanation]:
    if watched.chance > ONE_CLASS:
        return [
            explanation(
                "classes_unbalanced", "data", f"{watched.chance:.0%} of the labels are of one class"
            )
        ]
    return []


def _large(watched: TrainingRecord) -> list[Explanation]:
    heads = watched.received.heads.astype(np.float64)
    if heads.size and np.isfinite(heads).all() and heads.std() > LARGE:
        return [
            explanation(
                "inputs_too_large", "data", f"features have a deviation of {heads.std():.4g}"
            )
        ]
    if watched.regression and watched.targets.std() > LARGE:
        return [
            explanation(
                "targets_too_large",
                "data",
                f"targets have a deviation of {watched.targets.std():.4g}",
            )
        ]
    return []


def _loss_of_values(watched: TrainingRecord) -> list[Explanation]:
    if (
        watched.takes == "values"
        and not watched.regression
        and watched.outputs is not None
        and watched.labels is not None
    ):
        return [
            explanation(
                "loss_of_values",
                "loss",
                "the loss is that of a regression; its labels are "
                f"{len(np.unique(watched.labels))} whole numbers",
            )
        ]
    return []


def too_short(watched: TrainingRecord) -> list[Explanation]:
    """What may be said where nothing else is: its loss falls to the very end."""
    thirds = np.array_split(watched.losses, 3)
    if len(watched.losses) < 9 or not np.isfinite(watched.losses).all():
        return []
    middle, last = (float(np.mean(third)) for third in thirds[1:])
    if middle > 0 and (middle - last) / middle > STILL_FALLING:
        return [
            explanation(
                "too_short",
                "curve",
                f"the loss is still falling: {middle:.4g} over the middle third of the steps, {last:.4g} "
                "over the last",
            )
        ]
    return []
