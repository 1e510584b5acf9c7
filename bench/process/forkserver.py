"""The process that has TensorFlow loaded and forks every cell: importing TensorFlow takes 6-9 s, a fork 0.1 s."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Lock

from bench.process import preload
from bench.task import UserError

CONTEXT = multiprocessing.get_context("forkserver")
_STARTING = Lock()


@contextmanager
def with_forkserver() -> Iterator[None]:
    """Loads TensorFlow in the background; what is printed on the way goes to a file that lives as long."""
    with tempfile.NamedTemporaryFile(prefix="bench-forkserver-", suffix=".log") as log:
        with _STARTING:  # comparisons run in threads
            os.environ[preload.LOG] = log.name
            CONTEXT.set_forkserver_preload([preload.__name__])
            multiprocessing.forkserver.ensure_running()
            del os.environ[preload.LOG]  # for the server alone: other processes keep their output
        yield


def call_in_child(function: Callable, *arguments):
    """What `function` returns, or raises, in a process of its own.

    Raises:
        UserError: the process died, as when memory runs out.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=CONTEXT) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise UserError(f"the process for {function.__name__} died; was it killed, or out of memory?") from error
