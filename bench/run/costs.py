"""Measures what an API costs before anything runs: the time to import its implementation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.process.reaper import ended_with_runner, reaper
from bench.results.imports import write_imports

IMPORT_ROUNDS = 2
"""Number of timed imports of each. One takes 6-9 s, nearly all of it for TensorFlow itself."""

IMPORT = """import time
began = time.perf_counter()
import {module}.train
import tensorflow as tf
getattr(tf, "estimator" if {module!r}.endswith("estimator") else "keras").__name__
print(time.perf_counter() - began)
"""


def measure_imports(
    modules: dict[str, str], fingerprint: str, folder: Path, on_progress: Callable[[str], None]
) -> None:
    """Times the imports, each in its own process, and in turn. Stores one row for each, and the
    fingerprint of all."""
    rows = []
    for number in range(1, IMPORT_ROUNDS + 1):
        for name, module in _in_turn(modules, number):
            on_progress(f"importing {name}, round {number} of {IMPORT_ROUNDS}")
            import_s = _time_import(module)
            if import_s is not None:
                rows.append({"implementation": name, "round": number, "import_s": import_s})
    write_imports(folder, rows, fingerprint)


def _time_import(module: str) -> float | None:
    """Returns seconds, or None if the module cannot be imported."""
    scratch = str(reaper().scratch)
    with (
        subprocess.Popen(
            [sys.executable, "-c", IMPORT.format(module=module)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": scratch},
            text=True,
            start_new_session=True,
        ) as process,
        ended_with_runner(process.pid, scratch),
    ):
        printed, _ = process.communicate()
    return float(printed.split()[-1]) if process.returncode == 0 else None


def _in_turn(modules: dict[str, str], number: int) -> list[tuple[str, str]]:
    names = list(modules.items())
    return names[number % len(names) :] + names[: number % len(names)]
