"""Looks into the user's own data before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.data.estimate import logit_step
from bench.data.formats.chunk import Chunk, Unreadable
from bench.data.records import Records
from bench.data.scan import Scan, scan
from bench.data.source import SPLITS, Spec
from bench.data.sums import files_digest, sums_file
from bench.data.user_files import scan_file
from bench.run.data_options import DataOptions, holds_records, open_records, own_file
from bench.run.progress import share_progress
from bench.task import UserError


@dataclass(frozen=True)
class Inspection:
    """What was found in `path`: the scan, and the SHA-256 over its files.

    `sums` is the file of checksums that they were compared with, if there is one. `logit_step` is
    how far one step of training can move a logit. `remarks` say what was left out of records.
    """

    path: Path
    scan: Scan
    sha256: str
    sums: Path | None
    logit_step: float
    remarks: list[str]


def inspect_data(data: Path, chosen: DataOptions, console: Console) -> Inspection:
    """Reads a file, or a folder of records, once. `chosen` has the names in it.

    Raises:
        UserError: The data cannot be used; the message says why.
    """
    with share_progress(console, f"reading {data.name}") as on_progress:
        if holds_records(data):
            source, spec = open_records(data, chosen)
            found = _scan_records(source, spec, on_progress)
            files, remarks = source.files, source.remarks
        else:
            own = own_file(data, chosen)
            found = scan_file(own, on_progress)
            files, remarks = own.files(), []
    return Inspection(
        data,
        found,
        files_digest(files),
        sums_file(data),
        logit_step(found.examples, len(found.classes)),
        remarks,
    )


def _scan_records(records: Records, spec: Spec, on_progress) -> Scan:
    """Scans the samples that would be cut out, in both splits."""

    def chunks() -> Iterator[Chunk]:
        total, done = spec.train + spec.evaluation, 0
        for split in SPLITS:
            size = getattr(spec, split)
            for start in range(0, size, spec.shard_samples):
                samples = records.draw(spec, split, start, min(start + spec.shard_samples, size))
                done += len(samples.labels)
                yield Chunk(samples.signal, samples.labels, done / total)

    try:
        return scan(chunks(), on_progress=on_progress)
    except Unreadable as error:
        raise UserError(f"--data {records.folder} {error}") from error
