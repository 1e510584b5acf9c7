"""Clocks around functions of TensorFlow: how long the runtime takes, and how long the API's Python.

The clocks are installed for a few calls and removed again. A moment counts for the innermost timed
function that is running. The time of a session's `run` without the call into C++ that it makes is
the API's; time outside of all timed functions is the program's own Python.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from types import ModuleType

from bench.patched import patched

TIMED_FUNCTIONS = (
    ("runtime_s", "tensorflow.python.client.pywrap_tf_session", "TF_SessionRun_wrapper"),
    ("runtime_s", "tensorflow.python.client.pywrap_tf_session", "TF_SessionRunCallable"),
    ("runtime_s", "tensorflow.python.pywrap_tfe", "TFE_Py_Execute"),
    ("runtime_s", "tensorflow.python.pywrap_tfe", "TFE_Py_ExecuteCancelable"),
    ("runtime_s", "tensorflow.python.pywrap_tfe", "TFE_Py_FastPathExecute"),
    ("api_s", "tensorflow.python.client.session", "BaseSession.run"),
    ("api_s", "tensorflow.python.client.session", "BaseSession._Callable.__call__"),
    ("api_s", "tensorflow.python.training.monitored_session", "_MonitoredSession.run"),
    (
        "api_s",
        "tensorflow.python.eager.polymorphic_function.polymorphic_function",
        "Function.__call__",
    ),
    ("api_s", "keras.src.callbacks", "CallbackList.on_train_batch_begin"),
    ("api_s", "keras.src.callbacks", "CallbackList.on_train_batch_end"),
)
"""(kind, module, function) of TensorFlow 2.15. The first five are the calls from Python into C++,
which execute the step."""


class ApiTimers:
    """Measures the seconds spent in each kind of timed function, `runtime_s` and `api_s`."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._installed = ExitStack()
        self._running: list[str] = []
        self._spent = dict.fromkeys(("runtime_s", "api_s"), 0.0)
        self._mark = 0.0

    def open(self, functions: tuple[tuple[str, str, str], ...] = TIMED_FUNCTIONS) -> None:
        """Installs the clocks around functions of the modules that this process has imported.

        Raises:
            AttributeError: an imported module has no such function. Nothing is installed then.
            ModuleNotFoundError: an imported package has no such module. Nothing is installed then.
        """
        with ExitStack() as stack:
            for kind, module, path in functions:
                imported = _imported(module)
                if imported is not None:
                    *parents, name = path.split(".")
                    owner = functools.reduce(getattr, parents, imported)
                    timed = self._timed(kind, getattr(owner, name))
                    stack.enter_context(patched(owner, {name: timed}))
            self._installed = stack.pop_all()

    def close(self) -> None:
        """Removes the clocks."""
        self._installed.close()

    def take(self) -> dict[str, float]:
        """Returns the seconds by kind since the last call of `take`, and sets them back to 0.

        It may be called while a timed function is running.
        """
        self._charge()
        spent, self._spent = self._spent, dict.fromkeys(self._spent, 0.0)
        return spent

    def _timed(self, kind: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def timed(*arguments, **options):
            self._charge()
            self._running.append(kind)
            try:
                return function(*arguments, **options)
            finally:
                self._charge()
                self._running.pop()

        return timed

    def _charge(self) -> None:
        """Adds the time since the last charge to the innermost running function's kind."""
        now = self._clock()
        if self._running:
            self._spent[self._running[-1]] += now - self._mark
        self._mark = now


def _imported(module: str) -> ModuleType | None:
    """Returns a module, or None if this process has not imported it, and so cannot be using it.

    Raises:
        ModuleNotFoundError: its package is imported, but has no such module.
    """
    if module in sys.modules:
        return sys.modules[module]
    package, _, name = module.rpartition(".")
    if package and _imported(package) and find_spec(module) is None:
        raise ModuleNotFoundError(f"package {package!r} has no module {name!r}")
    return None
