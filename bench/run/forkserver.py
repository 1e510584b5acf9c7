"""The process that has TensorFlow loaded and forks every cell: importing TensorFlow takes 6-9 s, a fork 0.1 s."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.run import preload

CONTEXT = multiprocessing.get_context("forkserver")


def start_forkserver(log: Path) -> None:
    """Starts loading TensorFlow in the background; what is printed on the way goes to the file `log`."""
    os.environ[preload.LOG] = str(log)
    CONTEXT.set_forkserver_preload([preload.__name__])
    multiprocessing.forkserver.ensure_running()


def call_in_child(function: Callable, *arguments):
    """What `function` returns, or raises, in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=CONTEXT) as pool:
        return pool.submit(function, *arguments).result()
