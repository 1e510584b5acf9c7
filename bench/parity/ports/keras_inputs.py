"""Reads what a compiled Keras model declares of its inputs and labels."""

from __future__ import annotations

import tensorflow as tf

from bench.parity.port import InputSpec
from bench.task import UserError


def input_spec(model: tf.keras.Model) -> InputSpec | None:
    """Returns what a model declares of its inputs. A subclassed model declares nothing: None.

    Raises:
        UserError: the model is not compiled, or leaves a length open.
    """
    check_compiled(model)
    if model.inputs is None:
        return None
    vocabulary = [
        layer.input_dim
        for layer in model._flatten_layers()
        if isinstance(layer, tf.keras.layers.Embedding)
    ]
    features = {}
    for tensor in model.inputs:
        if None in tensor.shape[1:]:
            raise UserError(
                f"its input {tensor.name!r} has the shape {tuple(tensor.shape)}: "
                "give --batch FILE.npz"
            )
        limit = min(vocabulary, default=2) if tensor.dtype.is_integer else None
        features[tensor.name.split(":")[0]] = tuple(tensor.shape[1:]), tensor.dtype.name, limit
    return InputSpec(features, _label_kind(model), tuple(model.outputs[0].shape[1:]))


def check_compiled(model: tf.keras.Model) -> None:
    """Raises UserError for a model that could not train."""
    if not model._is_compiled:
        raise UserError(
            "its model is not compiled: call model.compile(optimizer, loss) before it is returned"
        )


def _label_kind(model: tf.keras.Model) -> str:
    """Returns the kind of labels that the model's loss takes; see `bench.parity.port.InputSpec`."""
    loss = model.loss
    name = (
        loss
        if isinstance(loss, str)
        else getattr(loss, "__name__", getattr(loss, "name", type(loss).__name__))
    )
    name = str(name).lower().replace("_", "")
    for part, kind in (
        ("sparse", "classes"),
        ("categorical", "one-hot"),
        ("binary", "binary"),
        ("hinge", "binary"),
    ):
        if part in name:
            return kind
    return "values"
