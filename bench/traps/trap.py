"""The record of a trap: a small change to a sound port that somebody would really make.

Each file in `bench.traps.gallery` is one trap. It holds the change as edits of our implementations'
own source code, so that the code that is run and shown is code that somebody would have written.
A sound port is a port without a fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

REFERENCE = "lowlevel"
"""The implementation that ports are compared with, unless a trap names another."""


Edits = Mapping[str, str]
"""For each implementation (`lowlevel`, `estimator`, `keras`), its change as hunks of a diff::

    @@ train.py
    -        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    +        loss=tf.keras.losses.SparseCategoricalCrossentropy(),

Lines with `-` are removed, lines with `+` are added, lines with a space are kept. The lines with
`-` or a space, taken together, must occur in the file exactly once. An empty change means that the
trap is the API's own default; the reference is then another API.
"""


@dataclass(frozen=True)
class Trap:
    """One trap.

    Attributes:
        number: number of the kind of mistake; several traps may share one.
        name: name of the trap and of its file.
        change: what the port does wrong, in words.
        stage: first stage of parity that must differ.
        cause: name of the cause in `bench.diagnose.causes`.
        source: documentation or an issue that describes the mistake.
        edits: the change, in every implementation where it can occur.
        sound: what both ports have besides the standard network, such as dropout.
        alone: the cause that can be found without a reference, if it is not `cause`.
        against: the reference of each implementation, where it is not `REFERENCE`.
        datasets: datasets on which the trap occurs.
    """

    number: int
    name: str
    change: str
    stage: str
    cause: str
    source: str
    edits: Edits
    sound: Edits = field(default_factory=dict)
    alone: str = ""
    against: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[str] = ("small", "large")

    def reference(self, implementation: str) -> str:
        """Returns the implementation that a port of this one is compared with."""
        return self.against.get(implementation, REFERENCE)


def gallery() -> dict[str, Trap]:
    """Returns all traps by name, in the order of their numbers."""
    from bench.traps import gallery as package

    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    traps = [module.TRAP for module in modules]
    return {trap.name: trap for trap in sorted(traps, key=lambda trap: (trap.number, trap.name))}
