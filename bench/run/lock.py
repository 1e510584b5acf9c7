"""One runner at a time writes into a result folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.task import UserError

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is this process's while the block lasts. Whatever ends the process, kill -9 too, sets the folder free.

    Raises:
        UserError: another process holds it.
    """
    descriptor = os.open(
        folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644
    )  # Python's are not inherited
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "another process"
            raise UserError(
                f"{folder} is being written by {holder}: wait for it, or give another --out"
            ) from None
        file.truncate(0)
        file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now():%Y-%m-%d %H:%M:%S}\n"
        )
        file.flush()
        yield
