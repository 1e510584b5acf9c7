"""Builds the graphs of functions written for TensorFlow 1.

These are `build(features, labels, training)`, and `model_fn` with or without an Estimator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as tf

from bench.parity.port import Weights
from bench.parity.ports.graph import Network
from bench.task import UserError

SEED = 0

Networks = tuple[Network, Network, Callable[[int], Network]]
"""The networks for training and for evaluation, and a function of a seed that builds the first
again, with other initial weights."""


def function_networks(build: Callable, features: Weights, labels: np.ndarray) -> Networks:
    """Builds the graphs of `build(features, labels, training) -> {"loss", "logits", "train_op"}`.

    `features` and `labels` are examples, whose shapes the placeholders have.

    Raises:
        UserError: the function returns something else.
    """

    def network(training: bool, seed: int = SEED) -> Network:
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(seed)
            placeholders = _placeholders(features, labels)
            built = build(_as_given(placeholders[0]), placeholders[1], training)
            if (
                not isinstance(built, dict)
                or "loss" not in built
                or (training and built.get("train_op") is None)
            ):
                raise UserError(
                    'its function must return {"loss": ..., "logits": ..., "train_op": ...}'
                )
            train_op = built["train_op"] if training else None
            return Network(
                graph, *placeholders, built["loss"], _operation(train_op), built.get("logits")
            )

    return network(True), network(False), functools.partial(network, True)


def estimator_networks(estimator, features: Weights, labels: np.ndarray) -> Networks:
    """Builds the graphs of an Estimator's `model_fn`; `features` and `labels` are examples."""

    def network(mode: str, seed: int = SEED) -> Network:
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(seed)
            tf.train.get_or_create_global_step()
            placeholders = _placeholders(features, labels)
            spec = estimator.model_fn(
                _as_given(placeholders[0]), placeholders[1], mode, estimator.config
            )
            initialise = (
                functools.partial(_initialise, spec.scaffold) if spec.scaffold is not None else None
            )
            metrics = {
                name: metric
                for name, metric in (spec.eval_metric_ops or {}).items()
                if isinstance(metric, tuple)
            }
            return Network(
                graph,
                *placeholders,
                spec.loss,
                _operation(spec.train_op),
                None,
                initialise,
                {},
                metrics,
                batch_mean=True,
            )

    train, evaluate = tf.estimator.ModeKeys.TRAIN, tf.estimator.ModeKeys.EVAL
    return network(train), network(evaluate), functools.partial(network, train)


def _initialise(scaffold, session: tf.Session) -> None:
    if scaffold.init_fn is not None:
        with session.graph.as_default():
            scaffold.init_fn(session)


def _placeholders(features: Weights, labels: np.ndarray) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    made = {
        name: tf.placeholder(value.dtype, [None, *value.shape[1:]], name)
        for name, value in features.items()
    }
    return made, tf.placeholder(labels.dtype, [None, *labels.shape[1:]], "labels")


def _as_given(features: dict[str, tf.Tensor]):
    """Returns a single tensor itself, and several by name."""
    return next(iter(features.values())) if len(features) == 1 else features


def _operation(train_op) -> tf.Operation | None:
    return train_op.op if isinstance(train_op, tf.Tensor) else train_op
