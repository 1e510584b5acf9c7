"""A port in a process of its own: what one port switches on or off does not affect the other."""

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

CACHED = frozenset(
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
"""Methods that are called once with the same arguments. They come before weights are set."""


class PortError(UserError):
    """An exception that a port's own code raised. `traceback_text` shows where."""

    def __init__(self, message: str, traceback_text: str):
        super().__init__(message)
        self.traceback_text = traceback_text


class RemotePort:
    """A port in a process of its own. Call it with the name of a method of
    `bench.parity.port.Port`, or of `bench.parity.port_server`, and the arguments.

    `role` (reference, candidate) and `name` appear in error messages. A call that takes longer than
    `timeout` seconds ends the process. Answers of the methods in `CACHED` are kept, so that a port
    can serve one comparison after the other.

    Raises, from every call:
        PortError: the port raised an exception.
        UserError: the port cannot be used, its process died, or it did not return in time.
    """

    def __init__(self, role: str, name: str, timeout: float):
        self.role, self.name = role, name
        self._timeout = timeout
        self._log = tempfile.NamedTemporaryFile(  # noqa: SIM115  closed by `close`
            prefix="parity-", suffix=".log"
        )
        self._pipe, theirs = CONTEXT.Pipe()
        self._group = Group(serve, theirs, name, self._log.name, os.getcwd(), sys.path)
        theirs.close()
        self.peak_rss_mib = 0.0
        self._pending: list[tuple[str, bytes | None]] = []
        self._known: dict[bytes, object] = {}

    def open(self, batch: PortBatch | None, task: Task | None, float64: bool = False) -> None:
        """Makes the port, in float64 if asked."""
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
        """Starts a call. `receive` returns its result, so that two ports can work at once."""
        key = hashlib.sha1(pickle.dumps((method, arguments))).digest() if method in CACHED else None
        self._pending.append((method, key))
        if key is None or key not in self._known:
            with contextlib.suppress(OSError):  # the process died; `receive` says how
                self._pipe.send((method, arguments))

    def receive(self):
        """Waits for the oldest call that was sent, and returns its result."""
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
                    f"{self} did not return from {method!r} within {self._timeout:g} s: does it "
                    "train or wait when it is called? Give more time with --timeout SECONDS"
                )
            outcome, value, self.peak_rss_mib = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise UserError(
                f"{self} ended its process (exit code {self._group.exitcode}) in {method!r}; "
                f"out of memory? {self._last_line()}"
            ) from None
        if outcome == "error":
            raise UserError(f"{self}: {value}")
        if outcome == "raised":
            message, text = value
            raise PortError(f"{self} raised {message}", text)
        return value

    def close(self) -> None:
        """Ends the process."""
        self._group.end()
        self._pipe.close()
        self._log.close()

    def __enter__(self) -> RemotePort:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    def _last_line(self) -> str:
        with open(self._log.name, errors="replace") as file:
            lines = file.read().strip().splitlines()
        return lines[-1][:200] if lines else ""


def together(ports: list[RemotePort], method: str, *arguments) -> list:
    """Calls several ports at once, and returns their answers.

    Raises:
        UserError: the first error of a port, once all have answered.
    """
    for port in ports:
        port.send(method, *arguments)
    answers: list = []
    for port in ports:
        try:
            answers.append(port.receive())
        except UserError as error:
            answers.append(error)
    for answer in answers:
        if isinstance(answer, UserError):
            raise answer
    return answers
