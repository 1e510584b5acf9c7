"""Reads a TensorFlow graph: which operations compute, which variables they use, and which update
them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import tensorflow as tf

MOVING = frozenset(
    {
        "Cast",
        "ConcatV2",
        "ExpandDims",
        "Identity",
        "IdentityN",
        "Pack",
        "Pad",
        "PlaceholderWithDefault",
        "Reshape",
        "Slice",
        "Squeeze",
        "StopGradient",
        "StridedSlice",
        "Tile",
        "Transpose",
        "Unpack",
        "Merge",
        "Switch",
        "LogSoftmax",
    }
)
"""Operations that move values and compute none, and LogSoftmax, with which a loss begins."""

RANDOM = frozenset({"RandomUniform", "RandomStandardNormal", "TruncatedNormal"})
"""Operations that draw random numbers, and can be fed them instead."""

RATES = ("lr", "alpha")
"""Names of the learning rate among the inputs of `Apply*` operations."""

GRADIENTS = ("grad", "delta")
"""Names of the gradient among the inputs of `Apply*` operations."""


@dataclass(frozen=True)
class Update:
    """An `Apply*` operation, which updates one variable.

    `variable` is the variable's name. `slots` names the variables of the optimizer's state, by
    role. `rate` is None for an update without a learning rate.
    """

    operation: tf.Operation
    variable: str
    gradient: tf.Tensor
    rate: tf.Tensor | None
    slots: dict[str, str]

    @property
    def optimizer(self) -> str:
        """The name of the update rule, such as `Adam`."""
        return (
            self.operation.type.replace("Resource", "").replace("Sparse", "").replace("Apply", "")
        )


def ancestors(targets: Iterable, floating: bool = False) -> set[tf.Operation]:
    """Returns the operations that targets depend on, with the targets' own.

    Targets are tensors or operations. With `floating`, only paths of floating-point tensors count:
    shapes and control inputs do not.
    """
    found: set[tf.Operation] = set()
    waiting = [target if isinstance(target, tf.Operation) else target.op for target in targets]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [
                tensor.op for tensor in operation.inputs if not floating or tensor.dtype.is_floating
            ]
            waiting += [] if floating else operation.control_inputs
    return found


def descendants(graph: tf.Graph, tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """Returns the operations that depend on tensors, without those that produce them."""
    sources = {tensor.ref() for tensor in tensors}
    found: set[tf.Operation] = set()
    for operation in graph.get_operations():
        if any(tensor.ref() in sources or tensor.op in found for tensor in operation.inputs):
            found.add(operation)
    return found


def activations(
    graph: tf.Graph, features: list[tf.Tensor], targets: list[tf.Tensor], labels: list[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns the outputs of the operations that compute between features and targets.

    Outputs that depend on the labels are left out. The order is that in which the graph was built.
    """
    between = descendants(graph, features) & ancestors(targets)
    between -= descendants(graph, labels)
    return [
        operation.outputs[0]
        for operation in graph.get_operations()
        if operation in between
        and operation.type not in MOVING | RANDOM
        and operation.outputs
        and operation.outputs[0].dtype.is_floating
    ]


def random_operations(graph: tf.Graph, target: tf.Tensor) -> list[tf.Operation]:
    """Returns the operations that draw random numbers for a target, in the order of the graph."""
    needed = ancestors([target])
    return [
        operation
        for operation in graph.get_operations()
        if operation in needed and operation.type in RANDOM
    ]


def updates(train_op: tf.Operation) -> list[Update]:
    """Returns the `Apply*` operations that a train_op runs, in the order of the graph."""
    needed = ancestors([train_op])
    graph = train_op.graph
    return [
        _update(operation)
        for operation in graph.get_operations()
        if operation in needed
        and "Apply" in operation.type
        and not _arguments(operation).keys().isdisjoint(GRADIENTS)
    ]


def _update(operation: tf.Operation) -> Update:
    inputs = _arguments(operation)
    variable = inputs.pop("var").op.name
    slots = {
        role: tensor.op.name
        for role, tensor in inputs.items()
        if tensor.dtype == tf.resource or tensor.dtype._is_ref_dtype
    }
    rate = next((inputs[name] for name in RATES if name in inputs), None)
    gradient = next(inputs[name] for name in GRADIENTS if name in inputs)
    return Update(operation, variable, gradient, rate, slots)


def _arguments(operation: tf.Operation) -> dict[str, tf.Tensor]:
    """Returns the inputs of an operation by name; none for an operation with a list of inputs,
    which no update has."""
    names = [argument.name for argument in operation.op_def.input_arg]
    return dict(zip(names, operation.inputs)) if len(names) == len(operation.inputs) else {}


def updates_trainables(fetches: Iterable, trainable: set[str]) -> bool:
    """Returns whether running fetches updates a trainable variable.

    `trainable` names the operations of the variables. An assignment, as in initialisation, is no
    update.
    """
    return any(
        operation.inputs
        and operation.inputs[0].op.name in trainable
        and (
            "Apply" in operation.type
            or operation.type.startswith(("AssignSub", "AssignAdd", "ScatterSub"))
        )
        for operation in ancestors(fetches)
    )


def layout_of(
    handle: tf.Tensor, rank: int, forward: set[tf.Operation] | None = None
) -> tuple[int, ...]:
    """Returns the permutation of a variable's axes after which operations use it.

    `handle` is the variable's tensor and `rank` its number of axes. Only operations in `forward`
    count, or all if that is None. See `bench.parity.port.Variable`.
    """
    identity = tuple(range(rank))
    waiting = [handle]
    while waiting:
        tensor = waiting.pop()
        for operation in tensor.consumers():
            if forward is not None and operation not in forward:
                continue
            if operation.type == "Transpose" and operation.inputs[0] is tensor:
                permutation = tf.get_static_value(operation.inputs[1])
                if permutation is not None and len(permutation) == rank:
                    return tuple(int(axis) for axis in permutation)
            elif operation.type == "MatMul" and rank == 2:
                first = operation.inputs[0] is tensor
                if operation.get_attr("transpose_a" if first else "transpose_b"):
                    return (1, 0)
            elif operation.type in ("Identity", "ReadVariableOp", "Cast"):
                waiting.append(operation.outputs[0])
    return identity
