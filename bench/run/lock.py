"""Lets one process at a time write into a result folder."""

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
    """Locks the folder for this process while the block lasts. Any end of the process, kill -9 too,
    unlocks it.

    Raises:
        UserError: Another process holds it.
    """
    # Child processes do not inherit descriptors that Python opens.
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
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
            f"process {os.getpid()} on {socket.gethostname()} "
            f"since {datetime.now():%Y-%m-%d %H:%M:%S}\n"
        )
        file.flush()
        yield
