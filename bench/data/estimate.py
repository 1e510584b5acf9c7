"""Will activated outputs freeze on these samples? How far one step of Adam can move them.

Adam's first step moves every weight by the learning rate (Kingma and Ba 2015, section 2.1). With the signs that the gradient gives them,
these moves add up: a unit of dense1 moves by up to learning rate x ‖features‖₁, and a logit by the sum of that over its weights.
"""

from __future__ import annotations

import math

import numpy as np

from bench.task import LEARNING_RATE, initial_weights

SATURATED = -math.log(np.finfo(np.float32).eps)
"""Logit from which on a float32 sigmoid is next to 1 and has no slope left: 15.9."""

SEED = 0
EXAMPLES = 32


def logit_step(examples: np.ndarray, classes: int) -> float:
    """How far the first step of training can move a logit of the standard network, as the median over samples; `examples` are
    float32 [samples, length]."""
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
    """Windows of [samples, length, channels], padded as TensorFlow pads "same": [samples, windows, size x channels]."""
    length = x.shape[1]
    missing = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
    padded = np.pad(
        x, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)), constant_values=padding
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::stride]
    return np.moveaxis(windows, 2, 3).reshape(*windows.shape[:2], -1)
