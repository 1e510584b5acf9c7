"""Symptoms of a training that did not learn. A sound training may show some of them too."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.training_record import TrainingRecord
from bench.measure.saturation import NO_GRADIENT, alike, right
from bench.parity.result import Explanation

DEAD = 0.95
"""Smallest share of a layer's ReLUs that are 0 for all samples.

SageMaker Debugger's rule of dying ReLUs has 0.5 of inactive units.
"""

ALIKE_OUTPUTS = 1e-3
"""Smallest spread of the outputs over samples, relative to their size."""

STEP_TOO_LARGE = 0.3
"""Largest norm of the first step, relative to the variable's.

TheDeepChecker (2022) allows 0.1. Adam at 0.001 measured 0.09 on sound kernels.
"""

GROWN = 4.0
"""Largest loss relative to the smallest loss before it.

For SageMaker Debugger any growth is a diverging loss; single batches scatter by a factor of 2.
"""

STEP_TOO_SMALL = 1e-5
"""Smallest norm of the first step, relative to the variable's.

TheDeepChecker asks for 1e-4. Sound trainings measured 1e-3 to 9e-2.
"""

VANISHING = 1e-4
"""Smallest gradient of the first layer, relative to its kernel, over that of the last layer.

AUTOTRAINER (2021) has 1e-3 to 1e-4.
"""

ONE_CLASS = 0.95
"""Largest share of labels of one class."""

LARGE = 10.0
"""Largest standard deviation of features or targets.

UMLAUT (2021) warns of inputs outside [-1, 1]; LeCun et al. 1998 recommend a deviation of 1.
"""

STILL_FALLING = 0.1
"""Largest relative fall of the loss from the middle third to the last third of a training.

Sound trainings measured at most 0.05.
"""


def symptoms(record: TrainingRecord) -> list[Explanation]:
    """Returns the symptoms of a training that did not learn, the likeliest cause first."""
    rules = (
        _not_finite,
        _step_too_large,
        _saturated,
        _dead,
        _gradient_cut,
        _loss_grown,
        _vanishing,
        _step_too_small,
        _one_class,
        _large_numbers,
        _loss_of_values,
    )
    return [found for rule in rules for found in rule(record)]


def _not_finite(record: TrainingRecord) -> list[Explanation]:
    return loss_not_finite(record.losses, takes_logarithms=record.takes in ("", "probabilities"))


def loss_not_finite(losses: np.ndarray, takes_logarithms: bool = True) -> list[Explanation]:
    """Returns why losses are not finite any more.

    The learning rate is too high if the losses had grown before, or if the loss takes no logarithm
    of outputs. In other cases the cause is a logarithm of 0.
    """
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


def _step_too_large(record: TrainingRecord) -> list[Explanation]:
    steps = {
        kernel.name: kernel.step
        for kernel in record.kernels
        if kernel.trainable and len(kernel.shape) > 1
    }
    if steps and np.median(list(steps.values())) > STEP_TOO_LARGE:
        return [
            explanation(
                "rate_too_high",
                "update",
                "norm of the first step, relative to the variable: "
                + ", ".join(f"{name} {step:.2g}" for name, step in steps.items()),
            )
        ]
    return []


def _saturated(record: TrainingRecord) -> list[Explanation]:
    last = record.snapshots[-1] if record.snapshots else None
    if last is None or last.gradient_norm > NO_GRADIENT or not last.outputs.size:
        return []
    if last.saturated > 0.99:
        classes = max(last.outputs.shape[-1], 2)
        return [
            explanation(
                "activated_outputs",
                "loss",
                f"every output is 0 or 1, the norm of the gradient is {last.gradient_norm:.1g}, "
                f"and the loss stays at {record.last_losses.mean():.6g} ({right(classes)} + error "
                f"rate, or {alike(classes)} if all outputs are equal)",
            )
        ]
    return []


def _dead(record: TrainingRecord) -> list[Explanation]:
    if not record.snapshots:
        return []
    last = record.snapshots[-1]
    layers = {name: share for name, share in last.dead.items() if share >= DEAD}
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
            + f"; the outputs of different samples differ by {spread:.2g} of their size, and the "
            f"norm of the gradient is {last.gradient_norm:.2g}",
        )
    ]


def _spread(outputs: np.ndarray) -> float:
    size = float(np.abs(outputs).max()) if outputs.size else 0.0
    return float(np.ptp(outputs, axis=0).max() / size) if size else 0.0


def _gradient_cut(record: TrainingRecord) -> list[Explanation]:
    trained = [kernel for kernel in record.kernels if kernel.trainable]
    still = [kernel.name for kernel in trained if kernel.moved == 0]
    if still and record.snapshots:
        norms = record.snapshots[0].gradient_norms
        cut = [name for name in still if norms.get(name, 0.0) == 0]
        if cut:
            return [
                explanation(
                    "gradient_cut",
                    "gradients",
                    f"the gradient of {', '.join(cut)} is 0 from the start, and its values "
                    "never change",
                )
            ]
    return []


def _loss_grown(record: TrainingRecord) -> list[Explanation]:
    losses = record.losses
    if len(losses) < 10 or not np.isfinite(losses).all():
        return []
    window = np.convolve(losses, np.ones(5) / 5, "valid")
    growth = float(window[-1] / np.minimum.accumulate(window)[-1]) if window.min() > 0 else 1.0
    if growth > GROWN:
        return [
            explanation(
                "rate_too_high",
                "curve",
                f"the final loss is {growth:.3g} times the smallest one (means over 5 steps)",
            )
        ]
    return []


def _vanishing(record: TrainingRecord) -> list[Explanation]:
    if not record.snapshots:
        return []
    last = record.snapshots[-1]
    relative = [
        last.gradient_norms[kernel.name] / max(last.weight_norms[kernel.name], 1e-30)
        for kernel in record.kernels
        if kernel.trainable and len(kernel.shape) > 1 and kernel.name in last.gradient_norms
    ]
    if len(relative) > 2 and relative[-1] > 0 and relative[0] < VANISHING * relative[-1]:
        return [
            explanation(
                "vanishing_gradient",
                "gradients",
                "the gradient of the first kernel, relative to the kernel, is "
                f"{relative[0] / relative[-1]:.2g} times that of the last kernel",
            )
        ]
    return []


def _step_too_small(record: TrainingRecord) -> list[Explanation]:
    steps = {
        kernel.name: kernel.step
        for kernel in record.kernels
        if kernel.trainable and len(kernel.shape) > 1
    }
    moving = [step for step in steps.values() if step > 0]
    if moving and np.median(moving) < STEP_TOO_SMALL:
        return [
            explanation(
                "rate_too_low",
                "update",
                f"a step changes a variable by {np.median(moving):.2g} of its size",
            )
        ]
    return []


def _one_class(record: TrainingRecord) -> list[Explanation]:
    if record.chance > ONE_CLASS:
        return [
            explanation(
                "classes_unbalanced", "data", f"{record.chance:.0%} of the labels are of one class"
            )
        ]
    return []


def _large_numbers(record: TrainingRecord) -> list[Explanation]:
    heads = record.received.heads.astype(np.float64)
    if heads.size and np.isfinite(heads).all() and heads.std() > LARGE:
        return [
            explanation(
                "inputs_too_large",
                "data",
                f"the features have a standard deviation of {heads.std():.4g}",
            )
        ]
    if record.regression and record.targets.std() > LARGE:
        return [
            explanation(
                "targets_too_large",
                "data",
                f"the targets have a standard deviation of {record.targets.std():.4g}",
            )
        ]
    return []


def _loss_of_values(record: TrainingRecord) -> list[Explanation]:
    if (
        record.takes == "values"
        and not record.regression
        and record.outputs is not None
        and record.labels is not None
    ):
        return [
            explanation(
                "loss_of_values",
                "loss",
                "the loss is that of a regression; the labels are "
                f"{len(np.unique(record.labels))} whole numbers",
            )
        ]
    return []


def too_short(record: TrainingRecord) -> list[Explanation]:
    """Returns a cause if no other is found: the loss falls until the training ends."""
    thirds = np.array_split(record.losses, 3)
    if len(record.losses) < 9 or not np.isfinite(record.losses).all():
        return []
    middle, last = (float(np.mean(third)) for third in thirds[1:])
    if middle > 0 and (middle - last) / middle > STILL_FALLING:
        return [
            explanation(
                "too_short",
                "curve",
                f"the loss is still falling: its mean is {middle:.4g} over the middle third of the "
                f"steps, {last:.4g} over the last third",
            )
        ]
    return []
