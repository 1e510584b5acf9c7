"""A process forked from the one that has TensorFlow loaded, and all processes that it starts.

All of them end together, at the latest with the runner.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

import psutil

from bench.process.forkserver import CONTEXT
from bench.process.reaper import ended_with_runner, reaper
from bench.process.sessions import kill_tree, memory_of
from bench.task import UserError


class Group:
    """Calls `target` in a process of its own; as a context, it ends that process.

    The process leads a session of its own, which Ctrl-C does not reach. Its temporary files go into
    a folder that is removed with it.
    """

    def __init__(self, target: Callable, *arguments):
        self._watched = contextlib.ExitStack()
        self._scratch = tempfile.mkdtemp(dir=reaper().scratch)
        own, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(
            target=_lead, args=(theirs, self._scratch, target, arguments)
        )
        try:
            self._process.start()
            theirs.close()
            # If the process has died, its exit code says so later.
            with contextlib.suppress(EOFError, OSError), own:
                own.recv()  # it leads its session
                self._watched.enter_context(ended_with_runner(self.pid, self._scratch))
                own.send(None)  # it may begin; if this process dies before, it ends instead
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Number of the first process, which is the number of the session, too."""
        assert self._process.pid is not None, "it is started when the group is made"
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` returns when the first process has ended."""
        return self._process.sentinel

    @property
    def has_ended(self) -> bool:
        """Whether the first process has ended.

        `sentinel` does not tell: it is not ready for a moment after the exit code has been read.
        """
        return not self._process.is_alive()

    @property
    def exitcode(self) -> int:
        """Exit code of the first process, or minus the number of the signal that killed it.

        Waits for its end.
        """
        self._process.join()
        assert self._process.exitcode is not None, "it has been joined"
        return self._process.exitcode

    @property
    def memory(self) -> int:
        """Resident memory of all processes in bytes."""
        return memory_of(self.pid)

    def end(self) -> None:
        """Kills all processes that are left, and removes the folder of temporary files."""
        self._watched.close()
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *exception) -> None:
        self.end()


def call_in_child(function: Callable, *arguments):
    """Calls `function` in a process of its own; returns what it returns, and raises what it raises.

    Raises:
        UserError: the process died, for example because memory ran out.
    """
    receiver, sender = CONTEXT.Pipe(duplex=False)
    with Group(_answer, sender, function, arguments) as group:
        sender.close()
        try:
            if receiver not in wait([receiver, group.sentinel]):
                raise EOFError
            returned, value = receiver.recv()
        except EOFError:
            raise UserError(
                f"the process for {function.__name__} died; was it killed, or out of memory?"
            ) from None
    if returned:
        return value
    raise value


def _answer(sender: Connection, function: Callable, arguments: tuple) -> None:
    try:
        sender.send((True, function(*arguments)))
    except Exception as error:
        sender.send((False, error))


def _lead(runner: Connection, scratch: str, target: Callable, arguments: tuple) -> None:
    """Runs in the group's first process: waits for the runner, and calls `target`."""
    os.setsid()
    tempfile.tempdir = os.environ["TMPDIR"] = scratch
    runner.send(None)
    try:
        runner.recv()
    except EOFError:
        return
    code = 1
    try:
        target(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        for child in psutil.Process().children():
            kill_tree(child)
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # a full disk, or closed
                output.flush()
        os._exit(code)  # does not wait for threads and processes that an implementation left
