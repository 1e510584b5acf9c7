"""What is certainly wrong with a network before it has learnt anything."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.training_record import TrainingRecord
from bench.parity.result import Explanation

TOO_WIDE = 2.5
"""Deviation of a kernel over He's (2015): Glorot's is 0.7 to 1 of it, a deviation of 1.0 is 2.5 for 16 inputs and more for more."""

OUT_OF_REACH = 0.05
"""Share of targets that no output can have."""

RANGES = {"Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, np.inf)}
"""Of the outputs of activations."""


def of_network(watched: TrainingRecord) -> list[Explanation]:
    """What is wrong with initial weights, and with outputs for what they are to give."""
    rules = (_initial_weights, _not_restored, classes_of_outputs, _out_of_reach)
    return [found for rule in rules for found in rule(watched)]


def _initial_weights(watched: TrainingRecord) -> list[Explanation]:
    kernels = [kernel for kernel in watched.kernels if kernel.trainable and len(kernel.shape) > 1]
    constant = [kernel.name for kernel in kernels if kernel.constant and kernel.shape[-1] > 1]
    if constant:
        return [
            explanation(
                "constant_initialiser",
                "initial weights",
                f"all values of {', '.join(constant)} are alike",
            )
        ]
    ratios = {kernel.name: kernel.deviation / kernel.he_deviation for kernel in kernels}
    wide = {name: ratio for name, ratio in ratios.items() if ratio > TOO_WIDE}
    if wide and len(wide) >= len(kernels) / 2:
        return [
            explanation(
                "initialiser_too_wide",
                "initial weights",
                "deviations over He's: "
                + ", ".join(f"{name} {ratio:.3g}" for name, ratio in wide.items()),
            )
        ]
    return []


def _not_restored(watched: TrainingRecord) -> list[Explanation]:
    """Of weights that were given, some arrived and some did not."""
    kernels = watched.given.kernels if watched.given else {}
    missing = [name for name, began in kernels.items() if not began]
    if missing and len(missing) < len(kernels):
        return [
            explanation(
                "not_restored",
                "initial weights",
                f"{', '.join(missing)} did not begin with the weights given; the other "
                f"{len(kernels) - len(missing)} kernels did",
            )
        ]
    return []


def classes_of_outputs(watched: TrainingRecord) -> list[Explanation]:
    """Outputs [samples, columns] that cannot name all classes, or a softmax over one column."""
    if watched.outputs is None or watched.labels is None or watched.regression:
        return []
    columns, labels = watched.outputs.shape[1], watched.labels.reshape(len(watched.labels), -1)
    if columns == 1 and watched.activation == "Softmax":
        return [
            explanation(
                "classes_of_outputs", "forward", "a softmax over a single output is always 1"
            )
        ]
    if labels.shape[1] > 1:
        return []
    classes, largest = len(np.unique(labels)), int(labels.max())
    if (
        columns == 1
        and watched.takes in ("logits", "probabilities")
        and (classes > 2 or labels.min() < 0 or largest > 1)
    ):
        return [
            explanation(
                "classes_of_outputs",
                "forward",
                f"labels go from {labels.min():.0f} to {largest} in {classes} classes; the "
                "loss of a single output knows 0 and 1",
            )
        ]
    if columns > 1 and largest >= columns:
        return [
            explanation(
                "classes_of_outputs",
                "forward",
                f"labels go up to {largest}; {columns} outputs are for 0 to {columns - 1}",
            )
        ]
    return []


def _out_of_reach(watched: TrainingRecord) -> list[Explanation]:
    """Targets that the last activation cannot give."""
    if watched.takes != "values" or watched.activation not in RANGES or not watched.regression:
        return []
    lowest, highest = RANGES[watched.activation]
    outside = float(np.mean((watched.targets < lowest) | (watched.targets > highest)))
    if outside <= OUT_OF_REACH:
        return []
    return [
        explanation(
            "out_of_reach",
            "forward",
            f"{outside:.0%} of the targets ({watched.targets.min():.4g} to "
            f"{watched.targets.max():.4g}) lie outside what {watched.activation} can give, {lowest:g} to {highest:g}",
        )
    ]
