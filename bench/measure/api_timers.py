"""Clocks at the timers of the APIs: where Python calls into the runtime, and where an API's own Python code begins.

They are installed for a few calls and removed again. Time is kept by the kind of the innermost door: what a session's `run`
takes without the call into C++ that it makes is the API's, what lies outside all timers is the program's own Python.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable

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
"""(kind, module, object) of TensorFlow 2.15. The first five are C++: the step itself. Modules that a program has not imported
are passed by."""


class ApiTimers:
    """Seconds spent within each kind of door since they were last taken."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._restore: list[Callable[[], None]] = []
        self._inside: list[str] = []
        self._spent = dict.fromkeys(("runtime_s", "api_s"), 0.0)
        self._mark = 0.0

    def open(self, timers: tuple[tuple[str, str, str], ...] = TIMED_FUNCTIONS) -> None:
        """Installs the clocks in this process."""
        for kind, module, path in timers:
            *parents, name = path.split(".")
            try:
                holder = functools.reduce(getattr, parents, importlib.import_module(module))
                original = getattr(holder, name)
            except (ImportError, AttributeError):
                continue
            setattr(holder, name, self._timed(kind, original))
            self._restore.append(functools.partial(setattr, holder, name, original))

    def close(self) -> None:
        """Removes them."""
        while self._restore:
            self._restore.pop()()

    def take(self) -> dict[str, float]:
        """What was spent until now; it begins at 0 again. May be called within a door."""
        self._charge()
        spent, self._spent = self._spent, dict.fromkeys(self._spent, 0.0)
        return spent

    def _timed(self, kind: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def timed(*arguments, **options):
            self._charge()
            self._inside.append(kind)
            try:
                return function(*arguments, **options)
            finally:
                self._charge()
                self._inside.pop()

        return timed

    def _charge(self) -> None:
        """The time since the last passage goes to the innermost door."""
        now = self._clock()
        if self._inside:
            self._spent[self._inside[-1]] += now - self._mark
        self._mark = now
