"""A trap: a small change to a sound port that somebody would really make.

One file in `bench.traps.gallery` is one trap. It names the change as edits of our implementations' own source, so that what
is tried is what somebody would have written, and is shown as such.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

REFERENCE = "lowlevel"
"""What is ported is low-level code: the port to compare with, unless a trap says otherwise."""


Edits = Mapping[str, str]
"""By implementation (`lowlevel`, `estimator`, `keras`), a change of its source as hunks of a diff::

    @@ train.py
    -        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    +        loss=tf.keras.losses.SparseCategoricalCrossentropy(),

Lines with `-` go, with `+` come, with a space stay; those with `-` and a space together occur in the file exactly once. An empty change
is that of a port whose reference is another API, and whose own default is the trap.
"""


@dataclass(frozen=True)
class Trap:
    """`edits` compare_traps it, in every implementation where it can occur; `sound` is what both ports have besides the standard
    network, such as dropout. `stage` is the first stage of parity that must differ; `cause` the name of the cause in
    `bench.diagnose.causes`, and `alone` the one that can be told without a reference, where that is another. `against`
    names the reference of each implementation where it is not `REFERENCE`; `datasets` where it occurs. `source` is
    documentation or an issue.
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
        """The implementation that a port of this one is compared with."""
        return self.against.get(implementation, REFERENCE)


def gallery() -> dict[str, Trap]:
    """All traps by name, in the order of their numbers."""
    from bench.traps import gallery as package

    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    traps = [module.TRAP for module in modules]
    return {trap.name: trap for trap in sorted(traps, key=lambda trap: (trap.number, trap.name))}
