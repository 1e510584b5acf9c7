"""Checks of raw files, beyond right types, that cells and rounds share."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from bench.results.files import RawFileError


def check_log(log: str, path: Path) -> None:
    """Checks that a log, named in the file `path`, lies within the result folder.

    Raises:
        RawFileError: it does not.
    """
    if PurePath(log).is_absolute() or ".." in PurePath(log).parts:
        raise RawFileError(path, f"names a log outside its folder: {log}")


def check_calls(calls: pd.DataFrame, path: Path) -> None:
    """Checks that every training call in the table `path` took time and trained on samples.

    Raises:
        RawFileError: one did not.
    """
    seconds, sizes = calls["ended_s"] - calls["began_s"], calls[["steps", "samples"]]
    took_time = np.isfinite(seconds) & (seconds > 0)
    trained = (np.isfinite(sizes) & (sizes > 0)).all(axis=1)
    if not (took_time & trained).all():
        raise RawFileError(
            path, "has a call without steps or samples, or that ends before it began"
        )
