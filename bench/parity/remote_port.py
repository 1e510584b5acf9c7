"""A port's own process, so that what one port switches on or off is not seen by the other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable

from bench.parity.port import PortBatch
from bench.parity.port_server import serve
from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.task import Task, UserError

ASKED_ONCE = frozenset(
    {
        "load",
        "dataset_inputs",
        "input_spec",
        "received",
        "open",
        "variables",
        "initial_weights",
        "weights_given",
    }
)


class PortError(UserError):
    """A port's own exception; `traceback_text` shows where in its code."""

    def __init__(self, message: str, traceback_text: str):
        super().__init__(message)
        self.traceback_text = traceback_text


class RemotePort:
    """A port, spoken to as if it were here: every method of `bench.parity.port.Port` by its name.

    `role` (reference, candidate) and `name` say whose fault an error is. A call that takes longer than `timeout`
    seconds ends the process. What a port is asked before its weights are set is asked once: a side can serve one
    comparison after the other.

    Raises, from every call:
        PortError: the port raised an exception.
        UserError: the port cannot be used, its process died, or it did not return in time.
    """

    def __init__(self, role: str, name: str, timeout: float):
        self.role, self.name = role, name
        self._timeout = timeout
        self._log = tempfile.NamedTemporaryFile(prefix="parity-", suffix=".log")
        self._pipe, theirs = CONTEXT.Pipe()
        self._group = Group(serve, theirs, name, self._log.name, os.getcwd(), sys.path)
        theirs.close()
        self.peak_rss_mib = 0.0
        self._pending: list[tuple[str, bytes | None]] = []
        self._known: dict[bytes, object] = {}

    def open(self, batch: PortBatch | None, task: Task | None, float64: bool = False) -> None:
        """Makes the port; `float64` in that precision."""
        self("open", batch, task, float64)

    def apply_to_target(self, function: Callable, *arguments):
        """Calls `function(target, *arguments)` in the port's process.

        `target` is the process's `bench.parity.ports.target.Target`. The function is pickled by its
        name: its module is imported there, and must not import TensorFlow here.
        """
        return self("apply_to_target", function, *arguments)

    def __call__(self, method: str, *arguments):
        self.send(method, *arguments)
        return self.receive()

    def send(self, method: str, *arguments) -> None:
        """Starts a call, to be ended by `receive`: both sides can work at once."""
        key = (
            hashlib.sha1(pickle.dumps((method, arguments))).digest()
            if method in ASKED_ONCE
            else None
        )
        self._pending.append((method, key))
        if key is None or key not in self._known:
            with contextlib.suppress(OSError):  # the process died; `receive` says how
                self._pipe.send((method, arguments))

    def receive(self):
        method, key = self._pending.pop(0)
        if key is not None and key in self._known:
            return self._known[key]
        value = self._answer(method)
        if key is not None:
            self._known[key] = value
        return value

    def _answer(self, method: str):
        try:
            if not self._pipe.poll(self._timeout):
                self.close()
                raise UserError(
                    f"{self} did not return from {method!r} within {self._timeout:g} s: does it train or wait "
                    "when it is called? Give more time with --timeout SECONDS"
                )
            outcome, value, self.peak_rss_mib = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise UserError(
                f"{self} ended its process (exit code {self._group.exitcode}) in {method!r}; out of memory? "
                f"{self._last_words()}"
            ) from None
        if outcome == "error":
            raise UserError(f"{self}: {value}")
        if outcome == "raised":
            message, text = value
            raise PortError(f"{self} raised {message}", text)
        return value

    def close(self) -> None:
        self._group.end()
        self._pipe.close()
        self._log.close()

    def __enter__(self) -> RemotePort:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    def _last_words(self) -> str:
        with open(self._log.name, errors="replace") as file:
            lines = file.read().strip().splitlines()
        return lines[-1][:200] if lines else ""


def together(sides: list[RemotePort], method: str, *arguments) -> list:
    """The same call to several sides at once; every answer is read before an error is raised."""
    for side in sides:
        side.send(method, *arguments)
    answers: list = []
    for side in sides:
        try:
            answers.append(side.receive())
        except UserError as error:
            answers.append(error)
    for answer in answers:
        if isinstance(answer, UserError):
            raise answer
    return answers
