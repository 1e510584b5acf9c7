"""What is trained, and the contract between the benchmark and an implementation.

An implementation is a module with one function, or a package whose module ``train`` has it::

    def train(task: Task, observer: Observer) -> Trained

It trains the standard network as ``task`` says, calls ``observer`` while it does so, and returns
the result. A package may have a second module, ``tuned``, with the same function: the same network
and the same result, with all that the API offers for speed.

Ours are ``impl_lowlevel``, ``impl_estimator`` and ``impl_keras``. Any other can take their place
(``--impl mypackage.my_port``).

This module imports neither TensorFlow nor any other part of the benchmark but its errors, and a
time limit for trainings on several machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.deadline import end_after as end_after  # part of the contract, as is the next one
from bench.errors import UserError as UserError

BATCH_SIZE = 32
LEARNING_RATE = 1e-3
ADAM_EPSILON = 1e-7
"""The default of Keras. That of ``tf.compat.v1`` is 1e-8, which would be a difference between the
ports."""

SHUFFLE_BYTES = 2**26
"""Size of the shuffle buffer, in bytes. Our splits fit into it; a larger one is streamed through
it."""

OPTIMIZERS = {
    "adam": "Adam, which is what the benchmark trains with",
    "sgd": "plain gradient descent, in which the three APIs agree to the bit",
}

PROFILES = {
    "default": "what the API's own documentation shows",
    "tuned": "what the API offers for speed: same network, same result",
}

OUTPUTS = {
    "logits": "dense2 goes into the cross-entropy as it is: the sound port",
    "activated": "sigmoid(dense2) goes into the cross-entropy as if it were logits: the port that "
    "freezes",
}


@dataclass(frozen=True)
class Split:
    """TFRecord files of samples in random order, with features ``signal`` (bytes), ``label`` and
    ``index`` (int64)."""

    files: list[str]
    samples: int

    def batches(self, batch_size: int = BATCH_SIZE) -> int:
        """Returns the number of batches in one pass. The last one may be partial."""
        return math.ceil(self.samples / batch_size)


@dataclass(frozen=True)
class Batch:
    """``signal`` is float32 [samples, length], in our datasets raw counts (200 per mV). ``labels``
    is int64 [samples]."""

    signal: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Checked files, ready to be read.

    ``values`` is the type of the values on disk, ``int16`` or ``float32``, little-endian.
    ``digest`` tells two datasets apart. ``evaluation_labels``, int64 [samples], are the labels of
    the evaluation split in file order. ``probe`` is the fixed batch on which gradients are
    measured.
    """

    name: str
    length: int
    classes: int
    values: str
    digest: str
    train: Split
    evaluation: Split
    evaluation_labels: np.ndarray
    probe: Batch


@dataclass(frozen=True)
class Task:
    """One training run.

    ``seed`` draws the initial weights and the sample order. It is both the graph-level and the
    op-level seed of the shuffle: so ``tf.data`` gives the same order in a v1 graph, in Estimator
    and in eager mode. An epoch is ``passes_per_epoch`` passes over the training split; the network
    is evaluated at its end. ``optimizer`` is one of ``OPTIMIZERS``; any other is a ``ValueError``.
    ``adam_epsilon`` is for ``adam`` only. Checkpoints go to ``model_dir``, an empty folder; so do
    summaries if ``summaries`` is set.

    In a cluster, ``model_dir`` is one folder that all members see. Training goes on from the last
    checkpoint in it. A checkpoint is written at the end of every epoch, and whenever the global
    step is a multiple of ``checkpoint_steps``. A member fails if another has not come within
    ``peer_timeout_s`` seconds. How soon it fails when another no longer answers depends on its API.
    """

    dataset: Dataset
    outputs: str
    seed: int
    epochs: int
    model_dir: Path
    summaries: bool = False
    batch_size: int = BATCH_SIZE
    optimizer: str = "adam"
    learning_rate: float = LEARNING_RATE
    adam_epsilon: float = ADAM_EPSILON
    passes_per_epoch: int = 1
    checkpoint_steps: int | None = None
    peer_timeout_s: int = 60

    @property
    def steps_per_epoch(self) -> int:
        """Training steps between two evaluations. The last batch of every pass may be partial."""
        return self.dataset.train.batches(self.batch_size) * self.passes_per_epoch

    @property
    def steps(self) -> int:
        """Training steps in all epochs together."""
        return self.epochs * self.steps_per_epoch

    @property
    def passes(self) -> int:
        """Passes over the training split in all epochs together."""
        return self.epochs * self.passes_per_epoch

    @property
    def shuffle_buffer(self) -> int:
        """Number of samples in the shuffle buffer: the whole training split, or what fits into
        `SHUFFLE_BYTES`."""
        held = SHUFFLE_BYTES // (self.dataset.length * np.dtype(self.dataset.values).itemsize)
        return min(self.dataset.train.samples, max(held, self.batch_size))

    @property
    def fits_in_memory(self) -> bool:
        """Whether the shuffle buffer holds the whole training split."""
        return self.shuffle_buffer == self.dataset.train.samples

    def initial_weights(self) -> dict[str, np.ndarray]:
        """Returns the weights that every implementation starts from; see `initial_weights`."""
        return initial_weights(self.dataset.length, self.dataset.classes, self.seed)


def initial_weights(length: int, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Returns Glorot-uniform kernels and zero biases, float32, drawn by NumPy in the order of the
    layers.

    Source: Glorot and Bengio 2010, AISTATS, equation 16; fans as in
    ``tf.keras.initializers.GlorotUniform``.
    """
    pooled = length
    for stride in (4, 4, 2, 4):  # conv1, pool1, conv2, pool2, all with padding "same"
        pooled = math.ceil(pooled / stride)
    kernels = {
        "conv1": (16, 1, 16),
        "conv2": (16, 16, 32),
        "dense1": (pooled * 32, 64),
        "dense2": (64, classes),
    }
    generator = np.random.default_rng(seed)
    weights = {}
    for layer, shape in kernels.items():
        receptive_field = math.prod(shape[:-2])
        limit = math.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
        weights[f"{layer}/kernel"] = generator.uniform(-limit, limit, shape).astype(np.float32)
        weights[f"{layer}/bias"] = np.zeros(shape[-1], np.float32)
    return weights


@dataclass(frozen=True)
class Evaluation:
    """Results on the whole evaluation split after an epoch. ``loss`` is the mean over samples.
    Every class but 0 is positive."""

    global_step: int
    accuracy: float
    loss: float
    true_positives: int
    true_negatives: int
    false_positives: int
    false_negatives: int


@dataclass(frozen=True)
class Probe:
    """Results on the fixed batch after an epoch: the global norm of the loss gradient over all
    trainable variables, and the outputs handed to the loss, float32 [batch, classes]."""

    gradient_norm: float
    outputs: np.ndarray


@dataclass(frozen=True)
class Trained:
    """The result of a run: outputs for every sample of the evaluation split in file order, float32
    [samples, classes], and the number of trainable parameters."""

    outputs: np.ndarray
    parameters: int


class Observer(Protocol):
    """Called by an implementation at the moment when something happens: these calls are timed."""

    def begin(self) -> None:
        """Says that the first step comes next: all that the API can prepare is ready."""

    def step(self, loss: float, steps: int = 1) -> None:
        """Says that a training step ended, or a call of several. ``loss`` is the mean over their
        samples."""

    def evaluation(self, evaluation: Evaluation, probe: Probe) -> None:
        """Says that the evaluation after an epoch ended. The next step, if any, comes next."""
