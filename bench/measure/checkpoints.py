"""What checkpoints cost: the seconds that writing each takes, and their size."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def timed_checkpoints(
    seconds: list[float], clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """While it lasts, every checkpoint that `tf.compat.v1.train.Saver`, a `CheckpointManager` or Keras writes adds its time to
    `seconds`."""
    import tensorflow as tf

    classes = [
        (tf.compat.v1.train.Saver, "save"),
        (tf.train.CheckpointManager, "save"),
        (tf.keras.Model, "save_weights"),
    ]
    originals = [getattr(owner, name) for owner, name in classes]
    for (owner, name), original in zip(classes, originals):
        setattr(owner, name, _timed(original, seconds, clock))
    try:
        yield
    finally:
        for (owner, name), original in zip(classes, originals):
            setattr(owner, name, original)


def _timed(save: Callable, seconds: list[float], clock: Callable[[], float]) -> Callable:
    @functools.wraps(save)
    def timed(*arguments, **options):
        began = clock()
        try:
            return save(*arguments, **options)
        finally:
            seconds.append(clock() - began)

    return timed


def checkpoint_bytes(model_dir: Path) -> int | None:
    """Size of the last checkpoint in a folder: its index, data and graph; None if there is none."""
    indices = sorted(model_dir.rglob("*.index"), key=lambda path: path.stat().st_mtime_ns)
    if not indices:
        return None
    stem = indices[-1].with_suffix("").name
    return sum(path.stat().st_size for path in indices[-1].parent.glob(f"{stem}.*"))
