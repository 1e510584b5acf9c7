"""Faults that are certain, in a network before it has learnt anything."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.training_record import TrainingRecord
from bench.parity.result import Explanation

TOO_WIDE = 2.5
"""Largest standard deviation of a kernel, relative to that of He's initialiser (2015).

Glorot's has 0.7 to 1. A standard deviation of 1.0 is 2.5 times He's for 16 inputs of a unit, and
more for more inputs.
"""

OUT_OF_REACH = 0.05
"""Largest share of targets outside the range of the outputs."""

RANGES = {"Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, np.inf)}
"""Ranges of the outputs of activations, by operation."""


def of_network(record: TrainingRecord) -> list[Explanation]:
    """Returns what is wrong with the initial weights and with the outputs."""
    rules = (_initial_weights, _not_restored, classes_of_outputs, _out_of_reach)
    return [found for rule in rules for found in rule(record)]


def _initial_weights(record: TrainingRecord) -> list[Explanation]:
    kernels = [kernel for kernel in record.kernels if kernel.trainable and len(kernel.shape) > 1]
    constant = [kernel.name for kernel in kernels if kernel.constant and kernel.shape[-1] > 1]
    if constant:
        return [
            explanation(
                "constant_initialiser",
                "initial weights",
                f"all initial values are equal in {', '.join(constant)}",
            )
        ]
    ratios = {kernel.name: kernel.deviation / kernel.he_deviation for kernel in kernels}
    wide = {name: ratio for name, ratio in ratios.items() if ratio > TOO_WIDE}
    if wide and len(wide) >= len(kernels) / 2:
        return [
            explanation(
                "initialiser_too_wide",
                "initial weights",
                "standard deviations, relative to He's initialiser: "
                + ", ".join(f"{name} {ratio:.3g}" for name, ratio in wide.items()),
            )
        ]
    return []


def _not_restored(record: TrainingRecord) -> list[Explanation]:
    """Finds initial weights of the contract of which only some were used."""
    kernels = record.contract.kernels if record.contract else {}
    missing = [name for name, began in kernels.items() if not began]
    if missing and len(missing) < len(kernels):
        return [
            explanation(
                "not_restored",
                "initial weights",
                f"{', '.join(missing)} did not start with the initial weights of the task; the "
                f"other {len(kernels) - len(missing)} kernels did",
            )
        ]
    return []


def classes_of_outputs(record: TrainingRecord) -> list[Explanation]:
    """Finds outputs that cannot name all classes, and a softmax over a single column."""
    if record.outputs is None or record.labels is None or record.regression:
        return []
    columns, labels = record.outputs.shape[1], record.labels.reshape(len(record.labels), -1)
    if columns == 1 and record.activation == "Softmax":
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
        and record.takes in ("logits", "probabilities")
        and (classes > 2 or labels.min() < 0 or largest > 1)
    ):
        return [
            explanation(
                "classes_of_outputs",
                "forward",
                f"the labels have {classes} classes from {labels.min():.0f} to {largest}; the loss "
                "of a single output expects 0 and 1",
            )
        ]
    if columns > 1 and largest >= columns:
        return [
            explanation(
                "classes_of_outputs",
                "forward",
                f"the largest label is {largest}; {columns} outputs are for the labels 0 to "
                f"{columns - 1}",
            )
        ]
    return []


def _out_of_reach(record: TrainingRecord) -> list[Explanation]:
    """Finds targets that the last activation cannot produce."""
    if record.takes != "values" or record.activation not in RANGES or not record.regression:
        return []
    lowest, highest = RANGES[record.activation]
    outside = float(np.mean((record.targets < lowest) | (record.targets > highest)))
    if outside <= OUT_OF_REACH:
        return []
    return [
        explanation(
            "out_of_reach",
            "forward",
            f"{outside:.0%} of the targets ({record.targets.min():.4g} to "
            f"{record.targets.max():.4g}) are outside the range of {record.activation}, "
            f"{lowest:g} to {highest:g}",
        )
    ]
