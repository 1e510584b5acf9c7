"""The layout of a result folder: the raw files, from which every figure is derived later.

    environment.json        the machine, the packages, the settings: `bench.results.environment`
    parity/*.json           comparisons of ports: `bench.results.comparisons`
    rounds/*                throughput: `bench.results.rounds`
    imports.json            timed imports: `bench.results.imports`
    cells/NAME.json         the record of a cell: `bench.results.cells`
    steps/NAME.csv          one row per training call: `bench.results.steps`
    outputs/NAME.csv        what the network returned for some samples: `bench.results.outputs`
    logs/NAME.log           what TensorFlow and the implementation printed

NAME is implementation-profile-dataset-outputs-seed. Times are seconds on the machine's monotonic
clock.
"""

from __future__ import annotations

FORMAT = 3
"""Version of the layout. Raise it when the layout changes."""

FOLDERS = ("parity", "rounds", "cells", "steps", "outputs", "traces", "logs")
"""The subfolders of a result folder."""

DERIVED = ("results.csv", "throughput.csv", "curves.csv", "results.md", "curves.png", "report.html")
"""Files that the report writes into the same folder."""
