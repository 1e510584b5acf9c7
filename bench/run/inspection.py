"""A look into data of one's own before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.data.estimate import logit_step
from bench.data.formats.chunk import Chunk, Unreadable
from bench.data.records import SUFFIXES, Records
from bench.data.scan import Scan, scan
from bench.data.source import SPLITS, Spec
from bench.data.sums import files_digest, sums_file
from bench.data.user_files import scan_file
from bench.run.data_options import DataOptions, holds_records, open_records, own_file
from bench.run.progress import share_progress
from bench.task import UserError


@dataclass(frozen=True)
class Inspection:
    """What was found in `path`: the scan, the SHA-256 over its files, the file of checksums they were compared with, if there is
    one, and how far one step of training can move a logit."""

    path: Path
    scan: Scan
    sha256: str
    sums: Path | None
    logit_step: float


def inspect_data(chosen: DataOptions, console: Console) -> Inspection:
    """Reads what `--data` names, once.

    Raises:
        UserError: it cannot be used; the message says why.
    """
    with share_progress(console, f"reading {chosen.data.name}") as on_progress:
        if holds_records(chosen.data):
            source, spec = open_records(chosen)
            found = _scan_records(source, spec, on_progress)
            files = [path for path in chosen.data.iterdir() if path.suffix in SUFFIXES]
        else:
            own = own_file(chosen)
            found = scan_file(own, on_progress)
            files = own.files()
    return Inspection(
        chosen.data,
        found,
        files_digest(files),
        sums_file(chosen.data),
        logit_step(found.examples, len(found.classes)),
    )


def _scan_records(records: Records, spec: Spec, on_progress) -> Scan:
    """Of the samples that would be cut out, in both splits."""

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
