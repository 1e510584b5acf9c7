"""Ends a command that cannot do what was asked."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from bench.errors import UserError, printable


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns an error that a user can mend into one line on standard error and exit code 2, and
    Ctrl-C into exit code 130."""
    try:
        yield
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        _fail(error.format_message())
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)  # at once: the reaper ends what is left


def _fail(message: str) -> None:
    print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(2)
