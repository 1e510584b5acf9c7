"""A process that has TensorFlow loaded and forks a runner for every line that it reads: see `test_survival.py`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import tensorflow  # noqa: F401

fork = multiprocessing.get_context("fork")
multiprocessing.get_context = lambda method=None: fork  # a forkserver of its own would load TensorFlow again for every runner

from rich.console import Console  # noqa: E402

from bench.data.source import QUICK_DATASETS, QUICK_EPOCHS  # noqa: E402
from bench.data.synthetic import Synthetic  # noqa: E402
from bench.run.cells import interleaved  # noqa: E402
from bench.run.lock import held  # noqa: E402
from bench.run.plan import QUICK  # noqa: E402
from bench.run.runner import Grid, run_grid  # noqa: E402
from bench.run.variants import Variant  # noqa: E402


def main(folder: Path, seeds: int) -> None:
    grid = Grid(interleaved({"tiny": "tiny"}, "default", ["small"], ["logits", "activated"], range(seeds)),
                {"small": QUICK_DATASETS["small"]}, {"small": QUICK_EPOCHS["small"]}, Synthetic(),
                [Variant("tiny", "tiny", "default"), Variant("tiny", "tiny", "again")], {"small": QUICK}, quick=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        runner = os.fork()
        if not runner:
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.stdin.close()
            with held(folder), open(os.devnull, "w") as nowhere:
                run_grid(grid, folder, False, Console(file=nowhere))
            os._exit(0)
        print(runner, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
