"""The server of a port: what runs in the port's own process."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import bench
from bench.parity.port import InputSpec, Port, PortBatch, Received
from bench.patched import patched
from bench.process.reason import one_line
from bench.task import Dataset, Task, UserError

if TYPE_CHECKING:
    from bench.parity.inputs import Inputs
    from bench.parity.ports.target import Target  # imports TensorFlow


def serve(pipe: Connection, name: str, log: str, folder: str, path: list[str]) -> None:
    """Answers calls of a `bench.parity.remote_port.RemotePort` until the process is killed.

    A call is (method, arguments). An answer is (outcome, value, peak resident memory in MiB).
    """
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.path[:] = path
    with contextlib.ExitStack() as replacements:
        server = _PortServer(name, replacements)
        while True:
            try:
                method, arguments = pipe.recv()
            except EOFError:
                return
            answer = _answer(server, method, arguments)
            pipe.send((*answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _answer(server: _PortServer, method: str, arguments: tuple) -> tuple[str, object]:
    """Calls a method. Returns (outcome, value); the outcome is `ok`, `error` or `raised`."""
    try:
        return "ok", server.call(method, *arguments)
    except UserError as error:
        return "error", str(error)
    except (Exception, SystemExit) as error:
        return "raised", (one_line(error), _own_frames(error))


class _PortServer:
    """The port and its target. Replacements of TensorFlow's functions last as long as the
    process, and are kept in `replacements`."""

    def __init__(self, name: str, replacements: contextlib.ExitStack):
        self._name = name
        self._replacements = replacements
        self._loaded: Target | None = None
        self._opened: Port | None = None

    def call(self, method: str, *arguments):
        """Calls a method of this server, or else of the port."""
        own: dict[str, Callable] = {
            "open": self._open,
            "load": self._load,
            "received": self._received,
            "input_spec": self._input_spec,
            "dataset_inputs": self._dataset_inputs,
            "apply_to_target": self._apply_to_target,
        }
        return own[method](*arguments) if method in own else self._of_port(method, *arguments)

    @property
    def _target(self) -> Target:
        if self._loaded is None:
            raise RuntimeError("the port must be loaded first")
        return self._loaded

    def _load(self) -> str:
        """Imports the port. Returns its kind.

        Before that, it sets one thread and deterministic operations. A program keeps its own
        settings.
        """
        import tensorflow as tf

        from bench.parity.ports.target import Target, is_program

        if not is_program(self._name):
            _keep_one_thread(self._replacements)
            tf.config.experimental.enable_op_determinism()
            tf.keras.utils.set_random_seed(0)
        self._loaded = Target(self._name)
        return self._loaded.kind

    def _open(self, batch: PortBatch | None, task: Task | None, float64: bool) -> None:
        if float64:
            import tensorflow as tf

            tf.keras.backend.set_floatx("float64")
        self._opened = self._target.port(batch, task)

    def _input_spec(self) -> InputSpec | None:
        return self._target.input_spec()

    def _dataset_inputs(self, dataset: Dataset, batch_size: int, batches: int) -> Inputs:
        from bench.parity.inputs import dataset_inputs

        return dataset_inputs(dataset, batch_size, batches)

    def _apply_to_target(self, function: Callable, *arguments):
        return function(self._target, *arguments)

    def _received(self, task: Task) -> Received:
        return self._target.received(task)

    def _of_port(self, method: str, *arguments):
        member = getattr(self._opened, method)
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


def _keep_one_thread(replacements: contextlib.ExitStack) -> None:
    """Sets one thread, and makes a later setting by the port do nothing.

    When a port sets its threads, operations may have run already. TensorFlow would raise then.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for module in (tf.config.threading, tf.compat.v1.config.threading):
        replacements.enter_context(
            patched(
                module,
                {
                    "set_intra_op_parallelism_threads": _ignore_threads,
                    "set_inter_op_parallelism_threads": _ignore_threads,
                },
            )
        )


def _ignore_threads(num_threads: int) -> None:
    """Takes the place of TensorFlow's setters of thread counts."""
