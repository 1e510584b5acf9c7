"""Reading a TensorFlow graph: which operations compute, which variables they use and how, which of them update."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import tensorflow as tf

PLUMBING = frozenset(
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
"""Operations that move values and compute none; LogSoftmax is where a loss begins."""

RANDOM = frozenset({"RandomUniform", "RandomStandardNormal", "TruncatedNormal"})
"""Operations whose output can be given in place of being drawn."""

RATES = ("lr", "alpha")
"""What `Apply*` operations call the learning rate."""

GRADIENTS = ("grad", "delta")
"""What they call the gradient."""


@dataclass(frozen=True)
class Update:
    """An `Apply*` operation: one variable's update. `slots` are the handles of the optimizer's state, by role."""

    operation: tf.Operation
    variable: str
    gradient: tf.Tensor
    rate: tf.Tensor | None
    slots: dict[str, str]

    @property
    def optimizer(self) -> str:
        return (
            self.operation.type.replace("Resource", "").replace("Sparse", "").replace("Apply", "")
        )


def ancestors(targets: Iterable, floating: bool = False) -> set[tf.Operation]:
    """The operations that tensors or operations depend on, and themselves; with `floating`, through numbers that have a
    derivative alone, and so not through shapes."""
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
    """The operations whose values depend on some tensors, without those that make them."""
    sources = {tensor.ref() for tensor in tensors}
    found: set[tf.Operation] = set()
    for operation in graph.get_operations():
        if any(tensor.ref() in sources or tensor.op in found for tensor in operation.inputs):
            found.add(operation)
    return found


def activations(
    graph: tf.Graph, features: list[tf.Tensor], targets: list[tf.Tensor], labels: list[tf.Tensor]
) -> list[tf.Tensor]:
    """Results of computations between features and targets that do not depend on the labels, in the order in which
    the graph was built."""
    between = descendants(graph, features) & ancestors(targets)
    between -= descendants(graph, labels)
    return [
        operation.outputs[0]
        for operation in graph.get_operations()
        if operation in between
        and operation.type not in PLUMBING | RANDOM
        and operation.outputs
        and operation.outputs[0].dtype.is_floating
    ]


def random_operations(graph: tf.Graph, target: tf.Tensor) -> list[tf.Operation]:
    """What draws random numbers on the way to a target, in the order in which the graph was built."""
    needed = ancestors([target])
    return [
        operation
        for operation in graph.get_operations()
        if operation in needed and operation.type in RANDOM
    ]


def updates(train_op: tf.Operation) -> list[Update]:
    """The `Apply*` operations behind a train_op, in the order in which the graph was built."""
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
    """The inputs of an operation by the names of its definition; none of the updates takes lists."""
    names = [argument.name for argument in operation.op_def.input_arg]
    return dict(zip(names, operation.inputs)) if len(names) == len(operation.inputs) else {}


def touches_trainables(fetches: Iterable, trainable: set[str]) -> bool:
    """Whether running fetches changes a trainable variable, named by its operation, by a step of training."""
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
    """The permutation of axes after which a variable is used by the operations in `forward`, or by any if that is None; see
    `bench.parity.port.Variable`."""
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
