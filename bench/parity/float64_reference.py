"""The reference port in float64: the scale of what rounding may change."""

from __future__ import annotations

import numpy as np

from bench.parity.pairing import View
from bench.parity.port import PortBatch, Variable
from bench.parity.ports.standard import Standard
from bench.parity.remote_port import RemotePort
from bench.task import Task, UserError, initial_weights


class Float64Reference:
    """Makes the view of the reference port in float64. `task` is what the reference trains if it
    is a module of the implementation contract; a function has none."""

    def __init__(self, reference: RemotePort, task: Task | None, timeout: float):
        self._reference, self._task, self._timeout = reference, task, timeout
        self._rebuilt: RemotePort | None = None

    def view(self, batch: PortBatch, variables: list[Variable]) -> View | None:
        """Returns the standard network in NumPy for a contract module, else the port rebuilt in
        float64; None if it cannot be had. `variables` are the reference's."""
        if self._task is not None:
            return _standard_view(self._task, variables)
        rebuilt = self._rebuilt = RemotePort("reference", self._reference.name, self._timeout)
        view = View(rebuilt, dtype=np.float64)
        try:
            rebuilt("load")
            rebuilt.open(view.batch(batch), None, float64=True)
            own = rebuilt("variables")
        except UserError:
            return None
        same_names = [variable.name for variable in own] == [
            variable.name for variable in variables
        ]
        return view if same_names and all(each.dtype != "float32" for each in own) else None

    def close(self) -> None:
        """Ends the process of the rebuilt port."""
        if self._rebuilt is not None:
            self._rebuilt.close()


def _standard_view(task: Task, variables: list[Variable]) -> View | None:
    own = initial_weights(task.dataset.length, task.dataset.classes, task.seed)
    shapes = {variable.name: variable.shape for variable in variables}
    if shapes != {name: value.shape for name, value in own.items()}:
        return None
    standard = Standard(task)
    return View(lambda method, *arguments: getattr(standard, method)(*arguments))
