"""The process that loads TensorFlow once and forks every cell.

Importing TensorFlow takes 6-9 s, a fork 0.1 s.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from bench.process import preload
from bench.process.reaper import reaper

CONTEXT = multiprocessing.get_context("forkserver")
_STARTING = Lock()


@contextmanager
def with_forkserver() -> Iterator[None]:
    """Starts the process, which loads TensorFlow in the background, for the time of the block.

    What it prints goes into a file that is removed at the end of the block.
    """
    reaper()  # before anything is left in the folder of temporary files
    with tempfile.NamedTemporaryFile(prefix="forkserver-", suffix=".log") as log:
        with _STARTING:  # comparisons run in threads
            os.environ[preload.LOG] = log.name
            CONTEXT.set_forkserver_preload([preload.__name__])
            multiprocessing.forkserver.ensure_running()
            del os.environ[preload.LOG]  # for the server alone: other processes keep their output
        yield
