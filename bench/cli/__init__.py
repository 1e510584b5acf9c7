"""The command line: `python -m bench`, or `tf-port-bench`."""

from bench.cli.group import main
from bench.run.errors import one_line_errors


def run() -> None:
    """Runs the command line. Help and errors name the program as it was started."""
    with one_line_errors():
        main.main(standalone_mode=False)
