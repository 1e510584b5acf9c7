"""A port's own process, so that what one port switches on or off is not seen by the other."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable

import bench
from bench.parity.port import PortBatch
from bench.process.forkserver import CONTEXT
from bench.process.group import Group
from bench.process.reason import one_line
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
        self._group = Group(_serve, theirs, name, self._log.name, os.getcwd(), sys.path)
        theirs.close()
        self.peak_rss_mib = 0.0
        self._pending: list[tuple[str, bytes | None]] = []
        self._known: dict[bytes, object] = {}

    def open(self, batch: PortBatch | None, task: Task | None, wide: bool = False) -> None:
        """Makes the port; `wide` in float64."""
        self("open", batch, task, wide)

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


def _serve(pipe, name: str, log: str, folder: str, path: list[str]) -> None:
    """The port's process: answers calls until it is killed."""
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.path[:] = path
    served = _PortServer(name)
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = "ok", served.call(method, *arguments)
        except UserError as error:
            answer = "error", str(error)
        except (Exception, SystemExit) as error:
            answer = "raised", (one_line(error), _own_frames(error))
        pipe.send((*answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


class _PortServer:
    def __init__(self, name: str):
        self._name = name
        self._target = None
        self._port = None

    def call(self, method: str, *arguments):
        own: dict[str, Callable] = {
            "open": self._open,
            "load": self._load,
            "received": self._received,
            "input_spec": self._input_spec,
            "dataset_inputs": self._dataset_inputs,
            "apply_to_target": self._apply_to_target,
        }
        return own[method](*arguments) if method in own else self._of_port(method, *arguments)

    def _load(self) -> str:
        """The kind of the port. One thread and deterministic operations, set before the port can run any; a program keeps
        its own settings."""
        import tensorflow as tf

        from bench.parity.ports.target import Target, is_program

        if not is_program(self._name):
            _keep_one_thread()
            tf.config.experimental.enable_op_determinism()
            tf.keras.utils.set_random_seed(0)
        self._target = Target(self._name)
        return self._target.kind

    def _open(self, batch, task, wide) -> None:
        if wide:
            import tensorflow as tf

            tf.keras.backend.set_floatx("float64")
        self._port = self._target.port(batch, task)

    def _input_spec(self):
        return self._target.input_spec()

    def _dataset_inputs(self, dataset, batch_size: int, batches: int):
        from bench.parity.inputs import dataset_inputs

        return dataset_inputs(dataset, batch_size, batches)

    def _apply_to_target(self, name: str, *arguments):
        """What `module:function` returns of the `bench.parity.ports.target.Target`, in this process."""
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(module), function)(self._target, *arguments)

    def _received(self, task):
        return self._target.received(task)

    def _of_port(self, method: str, *arguments):
        member = getattr(self._port, method)
        return member(*arguments) if callable(member) else member


def _own_frames(error: BaseException) -> str:
    """The traceback from the first frame that is not of this package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.dirname(bench.__file__)
    first = next(
        (
            place
            for place, frame in enumerate(frames)
            if not os.path.abspath(frame.filename).startswith(
                (own, os.path.dirname(os.__file__) + "/importlib")
            )
            and not frame.filename.startswith("<frozen")
        ),
        0,
    )
    return "".join(
        [
            *traceback.format_list(frames[first:]),
            *traceback.format_exception_only(type(error), error),
        ]
    )


def _keep_one_thread() -> None:
    """In this process, whatever a port sets later: by then operations may have run, and setting threads would raise."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for module in (tf.config.threading, tf.compat.v1.config.threading):
        module.set_intra_op_parallelism_threads = module.set_inter_op_parallelism_threads = (
            lambda num_threads: None
        )
