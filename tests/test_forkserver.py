"""The process that cells are forked from, started by many at once."""

import os
from concurrent.futures import ThreadPoolExecutor

from bench.process import preload
from bench.process.forkserver import with_forkserver


def test_it_can_be_asked_for_by_threads_at_once():
    def ask(_):
        with with_forkserver():
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(2000)))
    assert preload.LOG not in os.environ
