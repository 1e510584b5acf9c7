"""Activations of two ports with equal weights: what explains a difference."""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.probes import Modes, modes_of
from bench.parity.matching import align_activations
from bench.parity.pairing import Pairing
from bench.parity.port import Activation
from bench.parity.result import Explanation
from bench.parity.rounding import ULP

FEWER_BITS = (2.0**-14, 2.0**-7)
"""Range of the relative errors of numbers with 8 bits (bfloat16) to 11 bits (float16, TF32).

Sums of such numbers have smaller errors than single ones.
"""

WINDOWS = ("MaxPool", "AvgPool", "Conv2D", "Conv3D", "Conv1D", "Max", "Mean")
"""Operations that have windows with padding and strides."""

ACTIVATIONS = (
    "Relu",
    "Relu6",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "Gelu",
    "Erf",
    "Maximum",
)


def explain_forward(pairing: Pairing) -> list[Explanation]:
    """Returns the causes of a difference in the forward stage."""
    batch = pairing.inputs.batches[0]
    reference, candidate = (
        modes_of(view, pairing.weights, batch) for view in (pairing.reference, pairing.candidate)
    )
    for hypothesis in (_dropout_in_evaluation, _evaluation, _mode, _rate, _training):
        found = hypothesis(reference, candidate)
        if found:
            return found
    return []


def _dropout_in_evaluation(reference: Modes, candidate: Modes) -> list[Explanation]:
    if candidate.random_in_evaluation and not reference.random_in_evaluation:
        return [
            explanation(
                "dropout_in_evaluation",
                "forward",
                "two evaluations of the same batch give different outputs in the candidate, and "
                "equal ones in the reference",
            )
        ]
    return []


def _evaluation(reference: Modes, candidate: Modes) -> list[Explanation]:
    return _computation(reference.evaluation, candidate.evaluation, "evaluation")


def _mode(reference: Modes, candidate: Modes) -> list[Explanation]:
    if reference.alike or not candidate.alike:
        return []
    what = (
        "drops no values in training mode"
        if reference.random_in_training
        else "computes the same in training mode and in evaluation mode"
    )
    return [
        explanation("mode_not_passed", "forward", f"the candidate {what}; the reference does not")
    ]


def _rate(reference: Modes, candidate: Modes) -> list[Explanation]:
    ours, theirs = reference.dropped(), candidate.dropped()
    if ours is None or theirs is None or abs(ours[1] - theirs[1]) < 0.05:
        return []
    inverted = abs(ours[1] + theirs[1] - 1) < 0.05
    return [
        explanation(
            "dropout_rate_inverted" if inverted else "dropout_rate",
            "forward",
            f"{theirs[0]} drops {theirs[1]:.0%} of its input values; the reference drops "
            f"{ours[1]:.0%}",
        )
    ]


def _training(reference: Modes, candidate: Modes) -> list[Explanation]:
    return _computation(reference.training, candidate.training, "training")


def _computation(
    reference: list[Activation], candidate: list[Activation], mode: str
) -> list[Explanation]:
    """Explains the first operation that differs although its input agrees."""
    pairs = align_activations(reference, candidate)
    for row, column in pairs:
        ours, theirs = (
            side.astype(np.float64)
            for side in (
                reference[row].value,
                candidate[column].value.reshape(reference[row].value.shape),
            )
        )
        error = float(np.sqrt(np.mean(np.square(theirs - ours))))
        size = float(np.sqrt(np.mean(np.square(ours)))) or 1.0
        if error <= 64 * ULP * size:
            continue
        name, operation = candidate[column].name, candidate[column].operation
        where = (
            f"in {mode} mode, {name} is the first operation that differs, by {error / size:.2g} of "
            "its size"
        )
        if FEWER_BITS[0] <= error / size <= FEWER_BITS[1] and _looks_rounded(ours, theirs):
            return [
                explanation(
                    "low_precision",
                    "forward",
                    f"{where}, as numbers with {-np.log2(error / size):.0f} bits do",
                )
            ]
        if operation in ACTIVATIONS or reference[row].operation in ACTIVATIONS:
            return [
                explanation(
                    "other_activation",
                    "forward",
                    f"{where}: it is {operation} in the candidate and "
                    f"{reference[row].operation} in the reference",
                )
            ]
        if operation in WINDOWS or (operation == "BiasAdd" and theirs.ndim > 2):
            return [explanation("padding_or_stride", "forward", f"{where}; its input agrees")]
        if operation in ("FusedBatchNormV3", "Rsqrt", "Mul", "AddV2", "Sub"):
            return [explanation("normalisation_differs", "forward", where)]
        return []
    return []


def _looks_rounded(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Returns whether the errors scatter around 0, as rounding errors do.

    They do not if they are a multiple of the values.
    """
    error = (theirs - ours).ravel()
    slope = float(error @ ours.ravel() / (ours.ravel() @ ours.ravel()))
    left = error - slope * ours.ravel()
    return float(left @ left) > 0.5 * float(error @ error)
