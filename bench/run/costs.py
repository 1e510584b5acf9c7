"""What an API costs before anything runs: the time its implementation takes to import, and how much code it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import raw

IMPORT_ROUNDS = 2
"""An import takes 6-9 s, nearly all of it TensorFlow's own."""

IMPORT = """import time
began = time.perf_counter()
import {module}.train
import tensorflow as tf
getattr(tf, "estimator" if {module!r}.endswith("estimator") else "keras").__name__
print(time.perf_counter() - began)
"""


def measure_imports(modules: dict[str, str], folder: Path, on_progress: Callable[[str], None]) -> None:
    """Times the imports in processes of their own, in turn, and stores a row each."""
    rows = []
    for number in range(1, IMPORT_ROUNDS + 1):
        for name, module in _in_turn(list(modules.items()), number):
            on_progress(f"importing {name}, round {number} of {IMPORT_ROUNDS}")
            process = subprocess.run([sys.executable, "-c", IMPORT.format(module=module)], capture_output=True, text=True)
            if process.returncode == 0:
                rows.append({"implementation": name, "round": number, "import_s": float(process.stdout.split()[-1])})
    raw.write_imports(folder, rows)


def _in_turn(things: Sequence, number: int) -> Sequence:
    return things[number % len(things):] + things[:number % len(things)]
