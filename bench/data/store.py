"""Datasets on disk: TFRecords in a cache folder, named by the hash of their fingerprint, checked whenever they are used.

A folder of the cache holds `train-N-of-M.tfrecord`, `evaluation-N-of-M.tfrecord`, `arrays.npz` (the evaluation labels, and the
first batch of the training split as the probe) and `manifest.json`, which records the fingerprint, the counts and the SHA-256 of
each file. It is made beside its place and renamed into it, so a folder that exists is whole; what has been made of one that
is not stays, and the next attempt goes on from there.
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
    """Where datasets are kept between runs."""
    return platformdirs.user_cache_path("tf-port-bench")


def folder_of(source: Source, spec: Spec) -> Path:
    """The cache folder of a dataset, which may not exist yet."""
    return cache_folder() / f"{spec.name}-{source.name}-{_digest(source, spec)}"


def open_dataset(source: Source, spec: Spec) -> Dataset | None:
    """The cached dataset, or None if there is none or its files are not what the manifest says."""
    folder = folder_of(source, spec)
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        with ThreadPoolExecutor() as pool:
            if list(pool.map(lambda name: sha256(folder / name), manifest["sha256"])) != list(
                manifest["sha256"].values()
            ):
                return None
        arrays = np.load(folder / "arrays.npz", allow_pickle=False)
        splits = [
            Split(
                [str(folder / name) for name in manifest["files"][split]],
                manifest["samples"][split],
            )
            for split in SPLITS
        ]
        return Dataset(
            spec.name,
            spec.length,
            spec.classes,
            spec.values,
            _digest(source, spec),
            *splits,
            arrays["evaluation_labels"],
            Batch(arrays["probe_signal"].astype(np.float32), arrays["probe_labels"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def make_dataset(
    source: Source, spec: Spec, on_progress: Callable[[float], None] = lambda share: None
) -> Dataset:
    """The dataset, drawn and written now, in place of a damaged one that is there, unless another process has made it meanwhile;
    its shards in processes of their own, one a core. `on_progress` is told the share that is done.

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
            _complete(making, _fingerprint(source, spec), shards)
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
    """The cache folder, in which one process at a time makes something: who has waited looks again whether it is there."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    cache = os.open(cache_folder(), os.O_RDONLY)
    try:
        fcntl.flock(cache, fcntl.LOCK_EX)
        yield cache_folder()
    finally:
        os.close(cache)


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """The folder in which a dataset is made. It stays if it holds whole shards."""
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
            f"cannot write the dataset to {folder.parent}: it takes {needed / 2**20:,.1f} MiB, and {free / 2**20:,.1f} MiB "
            "are free; the environment variable XDG_CACHE_HOME names another place"
        )


def _write_shards(
    source: Source,
    spec: Spec,
    shards: list[Shard],
    folder: Path,
    on_progress: Callable[[float], None],
) -> None:
    missing = [shard for shard in shards if not _is_whole(folder, shard)]
    done = len(shards) - len(missing)
    with (
        with_forkserver(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):  # each thread waits for a process
        jobs = [
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


def _is_whole(folder: Path, shard: Shard) -> bool:
    """Whether an earlier attempt made it."""
    try:
        return read_shard_summary(folder, shard).sha256 == sha256(folder / shard.name)
    except (OSError, ValueError, KeyError):
        return False


def _complete(folder: Path, fingerprint: dict, shards: list[Shard]) -> None:
    """Puts together what lies beside the shards, and writes the manifest last."""
    sides = {shard: read_shard_summary(folder, shard) for shard in shards}
    first = next(side for shard, side in sides.items() if shard.split == "train")
    np.savez(
        folder / "arrays.npz",
        evaluation_labels=np.concatenate(
            [side.labels for shard, side in sides.items() if shard.split == "evaluation"]
        ),
        probe_signal=first.head,
        probe_labels=first.labels[: len(first.head)],
    )
    for path in folder.iterdir():  # of an attempt that was killed
        if path.name not in {
            "arrays.npz",
            *(shard.name for shard in shards),
            *(shard_summary_name(shard) for shard in shards),
        }:
            path.unlink()
    manifest = {
        "fingerprint": fingerprint,
        "samples": {
            split: sum(len(side.labels) for shard, side in sides.items() if shard.split == split)
            for split in SPLITS
        },
        "files": {
            split: [shard.name for shard in shards if shard.split == split] for split in SPLITS
        },
        "sha256": {
            "arrays.npz": sha256(folder / "arrays.npz"),
            **{shard.name: side.sha256 for shard, side in sides.items()},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    for shard in shards:
        (folder / shard_summary_name(shard)).unlink()


def _fingerprint(source: Source, spec: Spec) -> dict:
    return {
        "format": FORMAT,
        "name": spec.name,
        "length": spec.length,
        "train": spec.train,
        "evaluation": spec.evaluation,
        "classes": spec.classes,
        "values": spec.values,
        "shard_bytes": spec.shard_bytes,
        **source.fingerprint(spec),
    }


def _digest(source: Source, spec: Spec) -> str:
    return hashlib.sha256(
        json.dumps(_fingerprint(source, spec), sort_keys=True).encode()
    ).hexdigest()[:16]
