"""Estimates how far one step of Adam can move a logit: whether activated outputs will freeze.

Adam's first step changes every weight by the learning rate (Kingma and Ba 2015, section 2.1). With
the signs of the gradient, these changes add up. A unit of dense1 changes by up to the learning rate
x ‖features‖₁, and a logit by the sum of these changes x the absolute weights of dense2.
"""

from __future__ import annotations

import math

import numpy as np

from bench.task import LEARNING_RATE, initial_weights

SATURATED = -math.log(np.finfo(np.float32).eps)
"""Logit from which on a float32 sigmoid is next to 1 and has no slope left: 15.9."""

SEED = 0
"""Seed of the initial weights."""

EXAMPLES = 32
"""Number of samples that are looked at."""


def logit_step(examples: np.ndarray, classes: int) -> float:
    """Returns how far the first step can move a logit of the standard network: median over samples.

    Args:
        examples: float32 [samples, length].
        classes: the number of logits of a sample.
    """
    weights = initial_weights(examples.shape[1], classes, SEED)
    x = examples[:EXAMPLES, :, np.newaxis]
    for layer, stride in (("conv1", 4), ("conv2", 2)):
        x = np.maximum(
            _windows(x, 16, stride, 0)
            @ weights[f"{layer}/kernel"].reshape(-1, weights[f"{layer}/kernel"].shape[-1]),
            0,
        )
        x = _windows(x, 4, 4, -np.inf).reshape(*x.shape[:1], -1, 4, x.shape[-1]).max(axis=2)
    features = x.reshape(len(x), -1)
    hidden = np.maximum(features @ weights["dense1/kernel"], 0)
    through_dense1 = np.abs(features).sum(axis=1, keepdims=True) * (
        (hidden > 0) @ np.abs(weights["dense2/kernel"])
    )
    return LEARNING_RATE * float(np.median(through_dense1.max(axis=1) + hidden.sum(axis=1)))


def _windows(x: np.ndarray, size: int, stride: int, padding: float) -> np.ndarray:
    """Returns windows of `x` along its length, padded as TensorFlow pads "same".

    Args:
        x: [samples, length, channels].
        size: the length of a window.
        stride: the distance of two windows.
        padding: the value that is added at both ends.

    Returns:
        [samples, windows, size x channels].
    """
    length = x.shape[1]
    missing = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
    padded = np.pad(
        x, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)), constant_values=padding
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::stride]
    return np.moveaxis(windows, 2, 3).reshape(*windows.shape[:2], -1)
