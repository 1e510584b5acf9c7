"""A process and all that it starts, forked from the one that has TensorFlow loaded: all of it ends with it, and with the runner."""

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
    """A call of `target` in a process that leads a session of its own, which Ctrl-C does not reach; a context that ends it.

    Its temporary files go into a folder that is removed with it.
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
            with (
                contextlib.suppress(EOFError, OSError),
                own,
            ):  # if it has died, its exit code says so
                own.recv()  # it leads its session
                self._watched.enter_context(ended_with_runner(self.pid, self._scratch))
                own.send(None)  # it may begin; had this process been killed before, it would end
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` returns when it has ended."""
        return self._process.sentinel

    @property
    def has_ended(self) -> bool:
        """Whether its first process has. Not the same as a look at `sentinel`, which is not ready for a moment once the exit code
        has been read from it."""
        return not self._process.is_alive()

    @property
    def exitcode(self) -> int:
        """How it ended, minus the number of a signal; waits for the end."""
        self._process.join()
        return self._process.exitcode

    @property
    def memory(self) -> int:
        """Resident bytes of all its processes."""
        return memory_of(self.pid)

    def end(self) -> None:
        """Kills what is left of it."""
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
    """What `function` returns, or raises, in a process of its own.

    Raises:
        UserError: the process died, as when memory runs out.
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
    """The group's first process."""
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
        os._exit(code)  # without waiting for threads and processes that an implementation left
