"""What checkpoints cost: the seconds that writing each takes, and their size."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.patched import patched


@contextlib.contextmanager
def timed_checkpoints(
    seconds: list[float], clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Appends to `seconds` the time of every checkpoint that is written while the block runs.

    It sees the checkpoints of `tf.compat.v1.train.Saver`, of `tf.train.CheckpointManager` and of
    Keras.

    Raises:
        AttributeError: TensorFlow has no such class or function.
    """
    import tensorflow as tf

    with contextlib.ExitStack() as stack:
        for owner, name in (
            (tf.compat.v1.train.Saver, "save"),
            (tf.train.CheckpointManager, "save"),
            (tf.keras.Model, "save_weights"),
        ):
            timed = _timed(getattr(owner, name), seconds, clock)
            stack.enter_context(patched(owner, {name: timed}))
        yield


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
    """Returns the size in bytes of the last checkpoint in a folder, or None if there is none.

    A checkpoint is its index, its data and, where the API writes one, its graph.
    """
    indices = sorted(model_dir.rglob("*.index"), key=lambda path: path.stat().st_mtime_ns)
    if not indices:
        return None
    stem = indices[-1].with_suffix("").name
    return sum(path.stat().st_size for path in indices[-1].parent.glob(f"{stem}.*"))
