"""Datasets on disk: TFRecords in a cache folder, which are checked whenever they are used.

The name of a dataset's folder ends with the hash of all its parameters. The folder holds
`train-N-of-M.tfrecord`, `evaluation-N-of-M.tfrecord`, `arrays.npz` and `manifest.json`. The arrays
are the labels for evaluation and the probe, which is the first batch for training. The manifest has
the parameters, the numbers of samples, and the SHA-256 of each file.

A folder is made under another name and then renamed, so a folder that exists is complete. Shards of
an incomplete one are kept, and the next attempt goes on from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs

from bench.data.shards import (
    Shard,
    read_shard_summary,
    sha256,
    shard_summary_name,
    shards_of,
    write_shard,
)
from bench.data.source import SPLITS, Source, Spec
from bench.process.forkserver import with_forkserver
from bench.process.group import call_in_child
from bench.task import Batch, Dataset, Split, UserError

FORMAT = 2
"""To be raised when the files change their layout."""


def cache_folder() -> Path:
    """Returns the folder in which datasets are kept between runs."""
    return platformdirs.user_cache_path("tf-port-bench")


def folder_of(source: Source, spec: Spec) -> Path:
    """Returns the folder of a dataset in the cache, which may not exist yet."""
    return cache_folder() / f"{spec.name}-{source.name}-{_digest(source, spec)}"


def open_dataset(source: Source, spec: Spec) -> Dataset | None:
    """Returns the cached dataset, or None if it is missing or its files do not fit the manifest."""
    folder = folder_of(source, spec)
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda name: sha256(folder / name), manifest["sha256"])
            if list(found) != list(manifest["sha256"].values()):
                return None
        arrays = np.load(folder / "arrays.npz", allow_pickle=False)
        train, evaluation = (
            Split(
                [str(folder / name) for name in manifest["files"][split]],
                manifest["samples"][split],
            )
            for split in SPLITS
        )
        return Dataset(
            spec.name,
            spec.length,
            spec.classes,
            spec.values,
            _digest(source, spec),
            train,
            evaluation,
            arrays["evaluation_labels"],
            Batch(arrays["probe_signal"].astype(np.float32), arrays["probe_labels"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def make_dataset(
    source: Source, spec: Spec, on_progress: Callable[[float], None] = lambda share: None
) -> Dataset:
    """Draws and writes a dataset, and returns it.

    It replaces a damaged one. If another process has made the dataset in the meantime, it returns
    that one. Every shard is written by a process of its own, as many at a time as there are cores.
    `on_progress` is told the share that is done.

    Raises:
        UserError: the samples cannot be drawn or the cache folder cannot be written.
    """
    folder, sizes = folder_of(source, spec), source.sizes(spec)
    try:
        with cache_lock(), _making(folder) as making:
            if (dataset := open_dataset(source, spec)) is not None:
                return dataset
            _check_space(sum(sizes.values()) * spec.row_bytes, making)
            shards = shards_of(spec, sizes)
            _write_shards(source, spec, shards, making, on_progress)
            _complete(making, _parameters(source, spec), shards)
            if folder.exists():
                shutil.rmtree(folder)
            making.rename(folder)
    except OSError as error:
        raise UserError(
            f"cannot write the dataset to {folder.parent}: {error.strerror or error}"
        ) from error
    dataset = open_dataset(source, spec)
    if dataset is None:
        raise UserError(f"{folder} was damaged while it was written; is the disk failing?")
    return dataset


@contextmanager
def cache_lock() -> Iterator[Path]:
    """Returns the cache folder, in which one process at a time may write for the time of the block.

    Another process may have waited for the lock: it has to look again what the cache holds.
    """
    cache_folder().mkdir(parents=True, exist_ok=True)
    cache = os.open(cache_folder(), os.O_RDONLY)
    try:
        fcntl.flock(cache, fcntl.LOCK_EX)
        yield cache_folder()
    finally:
        os.close(cache)


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """Returns the folder in which a dataset is made; it is kept if it holds complete shards."""
    making = folder.parent / f".{folder.name}"
    try:
        making.mkdir(exist_ok=True)
        yield making
    finally:
        if making.exists() and not any(making.glob("*.npz")):
            shutil.rmtree(making)


def _check_space(needed: int, folder: Path) -> None:
    made = sum(path.stat().st_size for path in folder.iterdir())
    free = shutil.disk_usage(folder).free
    if needed - made > free:
        raise UserError(
            f"cannot write the dataset to {folder.parent}: it takes {needed / 2**20:,.1f} MiB, "
            f"and {free / 2**20:,.1f} MiB are free; "
            "the environment variable XDG_CACHE_HOME names another place"
        )


def _write_shards(
    source: Source,
    spec: Spec,
    shards: list[Shard],
    folder: Path,
    on_progress: Callable[[float], None],
) -> None:
    missing = [shard for shard in shards if not _is_complete(folder, shard)]
    done = len(shards) - len(missing)
    with with_forkserver(), ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [  # each thread waits for a process
            pool.submit(call_in_child, write_shard, source, spec, shard, folder)
            for shard in missing
        ]
        try:
            for job in as_completed(jobs):
                job.result()
                done += 1
                on_progress(done / len(shards))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _is_complete(folder: Path, shard: Shard) -> bool:
    """Returns whether an earlier attempt has made a shard."""
    try:
        return read_shard_summary(folder, shard).sha256 == sha256(folder / shard.name)
    except (OSError, ValueError, KeyError):
        return False


def _complete(folder: Path, parameters: dict, shards: list[Shard]) -> None:
    """Writes the arrays, from the summaries of the shards, and the manifest."""
    summaries = {shard: read_shard_summary(folder, shard) for shard in shards}
    first = next(summary for shard, summary in summaries.items() if shard.split == "train")
    np.savez(
        folder / "arrays.npz",
        evaluation_labels=np.concatenate(
            [summary.labels for shard, summary in summaries.items() if shard.split == "evaluation"]
        ),
        probe_signal=first.first_batch,
        probe_labels=first.labels[: len(first.first_batch)],
    )
    for path in folder.iterdir():  # an attempt that was killed may have left files
        if path.name not in {
            "arrays.npz",
            *(shard.name for shard in shards),
            *(shard_summary_name(shard) for shard in shards),
        }:
            path.unlink()
    manifest = {
        "fingerprint": parameters,
        "samples": {
            split: sum(
                len(summary.labels) for shard, summary in summaries.items() if shard.split == split
            )
            for split in SPLITS
        },
        "files": {
            split: [shard.name for shard in shards if shard.split == split] for split in SPLITS
        },
        "sha256": {
            "arrays.npz": sha256(folder / "arrays.npz"),
            **{shard.name: summary.sha256 for shard, summary in summaries.items()},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    for shard in shards:
        (folder / shard_summary_name(shard)).unlink()


def _parameters(source: Source, spec: Spec) -> dict:
    """Returns all that decides which files a dataset has."""
    return {
        "format": FORMAT,
        "name": spec.name,
        "length": spec.length,
        "train": spec.train,
        "evaluation": spec.evaluation,
        "classes": spec.classes,
        "values": spec.values,
        "shard_bytes": spec.shard_bytes,
        **source.dataset_parameters(spec),
    }


def _digest(source: Source, spec: Spec) -> str:
    parameters = json.dumps(_parameters(source, spec), sort_keys=True)
    return hashlib.sha256(parameters.encode()).hexdigest()[:16]
