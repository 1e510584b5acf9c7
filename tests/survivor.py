"""A process that has the benchmark loaded and forks a runner for every line that it reads.

`test_survival.py` starts it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from bench.data.records import Records
from bench.data.source import QUICK_DATASETS, QUICK_EPOCHS
from bench.data.synthetic import Synthetic
from bench.process.forkserver import CONTEXT
from bench.run import runner, worker
from bench.run.cells import interleaved
from bench.run.lock import held
from bench.run.plan import QUICK
from bench.run.variants import Variant
from tests.conftest import REAL

runner.describe_environment = dict
worker.timed_checkpoints = contextlib.nullcontext  # Both would import TensorFlow.


def run(folder: Path, seeds: int) -> None:
    """Runs what `python -m bench all` runs, but forks cells from a process without TensorFlow."""
    grid = runner.Grid(
        interleaved({"tiny": "tiny"}, "default", ["small"], ["logits", "activated"], range(seeds)),
        {"small": QUICK_DATASETS["small"]},
        {"small": QUICK_EPOCHS["small"]},
        Records(Path(REAL)) if REAL else Synthetic(),
        [Variant("tiny", "tiny", "default"), Variant("tiny", "tiny", "again")],
        {"small": QUICK},
        quick=True,
    )
    CONTEXT.set_forkserver_preload(["tests.survivor"])
    with held(folder), open(os.devnull, "w") as nowhere:
        runner.run_grid(grid, folder, False, Console(file=nowhere))


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Ended runners leave no zombies.
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run(Path(sys.argv[1]), int(sys.argv[2]))
            os._exit(0)
        print(pid, flush=True)
