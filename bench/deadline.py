"""A time limit for a call that Python cannot interrupt."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def end_after(seconds: int, complaint: str) -> Iterator[None]:
    """Ends this process if the block takes longer than `seconds`; first writes a line, with
    `complaint`, on standard error.

    It is for calls into C++ that hold Python's lock, as a strategy of TensorFlow does while it
    waits for the other workers, up to an hour. No exception can end such a call, and another
    process must write the line.
    """
    program = (
        "import select, sys\n"
        "is_over = select.select([0], [], [], float(sys.argv[1]))[0]\n"
        "is_over or sys.exit(sys.argv[2])"
    )
    teller = subprocess.Popen(
        [sys.executable, "-c", program, str(seconds), f"error: {complaint} within {seconds} s"],
        stdin=subprocess.PIPE,
    )
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds + 1, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            teller.communicate()  # closes its input, which ends it
