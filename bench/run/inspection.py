"""Looks into the user's own data before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.data.estimate import EXAMPLES, logit_step
from bench.data.formats.chunk import Chunk, Unreadable
from bench.data.offset import Offset, RecordOffset, offset_of, record_offset
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
    """What was found in a file or a folder.

    Attributes:
        path: the file or the folder.
        scan: what a pass over its samples found.
        sha256: over the files that were read.
        sums: the file of checksums that they were compared with, if there is one.
        logit_step: how far one step of training can move a logit.
        centred_step: how far it could if the values had no offset.
        offset: of the values of some samples.
        records: the offsets of WFDB records, by record.
        remarks: what was left out of a folder of records.
    """

    path: Path
    scan: Scan
    sha256: str
    sums: Path | None
    logit_step: float
    centred_step: float
    offset: Offset
    records: list[RecordOffset]
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
            offsets = [record_offset(data, record) for record in source.records]
            files, remarks = source.files, source.remarks
        else:
            own = own_file(data, chosen)
            found = scan_file(own, on_progress)
            files, offsets, remarks = own.files(), [], []
    offset = offset_of(found.examples)
    return Inspection(
        path=data,
        scan=found,
        sha256=files_digest(files),
        sums=sums_file(data),
        logit_step=logit_step(found.examples, len(found.classes)),
        centred_step=logit_step(_centred(found.examples, bool(offsets)), len(found.classes)),
        offset=offset,
        records=offsets,
        remarks=remarks,
    )


def _centred(examples: np.ndarray, each: bool) -> np.ndarray:
    """Returns the examples that the estimate looks at, without the mean of all or of `each`."""
    looked_at = examples[:EXAMPLES]
    return looked_at - looked_at.mean(axis=1 if each else None, dtype=np.float64, keepdims=True)


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
