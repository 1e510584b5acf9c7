"""The verbs of `python -m bench`, and nothing else."""

from bench.cli import clustering, comparing, data, diagnosing, measuring  # noqa: F401  their verbs join the group
from bench.cli.group import main
from bench.run.errors import one_line_errors


def run() -> None:
    """Runs the command line."""
    with one_line_errors():
        main.main(prog_name="python -m bench", standalone_mode=False)
