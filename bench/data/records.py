"""A source of samples: a folder of WFDB records, as PhysioNet distributes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.data.source import COUNTS_PER_MV, FREQUENCY, SPLITS, Samples, Spec
from bench.data.sums import Sums, files_digest, read_sums
from bench.data.wfdb_files import Header, read_annotations, read_counts, read_header, signal_files
from bench.errors import listed
from bench.task import UserError

PREMATURE = ("V",)
"""Annotation symbols of premature ventricular beats."""

BEATS = set("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols that mark a beat (WFDB Applications Guide, annotation codes)."""

AT = {"beats": 130, "strips": 60_000}
"""Usual length of a sample by where it is cut out: `beats` around a beat, `strips` anywhere."""

HELD_OUT = ((0.2, 0.3), (0.7, 0.8))
"""Parts of each record that are for evaluation, as shares of its duration.

No sample reaches over their ends. There are two parts, away from the ends of a record, because
rhythms drift over half an hour: the last fifth alone would be another classification task.
"""

STRIP_HOP = 900
"""Largest distance between the starts of two strips of a record: long strips overlap."""

PREMATURE_PER_STRIP = 3
"""Smallest number of positive beats in a strip of class 1."""

OUTSIDE = 0.5
"""Largest share of a record's beats that may stand outside of its signal.

A few do where a signal was cut. If most of them do, the annotations belong to another signal or to
another sampling, and those inside cannot be trusted.
"""

SKIP_DAMAGED = "--skip-damaged"
"""The option that leaves out the records that cannot be used."""

HINT = f"; {SKIP_DAMAGED} leaves out such a record"
"""What is added to the message that refuses one record of several."""

SHOWN = 5
"""Number of records that a remark names."""

SEED = 0
VERSION = 1
"""To be raised when the same records give other samples."""

COUNTS = np.iinfo(np.int16)


@dataclass(frozen=True)
class Record:
    """A record without its signal.

    Attributes:
        header: what its header says.
        beats: int64 [beats], the sample numbers of its beats, in order.
        positive: bool [beats], which of them are positive.
        outside: the number of beats that were left out, because they stand outside of the signal.
    """

    header: Header
    beats: np.ndarray
    positive: np.ndarray
    outside: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files."""
        return (f"{self.header.name}.hea", f"{self.header.name}.atr", *self.header.files)


@dataclass(frozen=True)
class RecordPart:
    """The values `start` to `end` (excluded) of a record, which belong to one split."""

    record: Record
    start: int
    end: int


class Records:
    """Beats or strips of all records of a folder. Every record is split by time.

    Class 1 are the samples with beats of the symbols `positive`, class 0 those without.
    """

    name = "wfdb"

    def __init__(
        self,
        folder: Path,
        positive: tuple[str, ...] = PREMATURE,
        at: str | None = None,
        channel: str = "0",
        frequency: float | None = FREQUENCY,
        option: str = "--records",
        skip_damaged: bool = False,
    ):
        """Reads and checks every record.

        Args:
            folder: the folder.
            positive: annotation symbols of the beats of class 1.
            at: one of `AT`; None takes the one that is usual for the length of the dataset.
            channel: the number of the signal, from 0, or its name.
            frequency: the sampling in Hz that all records must have; None allows any.
            option: the option that named the folder, for messages.
            skip_damaged: leaves out the records that cannot be used.

        Raises:
            UserError: the folder, or one of its records and `skip_damaged` is not given, cannot be
                used; the message says which and why.
        """
        self.folder, self.positive, self.at, self.channel = folder, positive, at, channel
        self._where = f"{option} {folder}"
        if not folder.is_dir():
            raise UserError(f"{self._where}: there is no such folder")
        headers = sorted(folder.glob("*.hea"))
        if not headers:
            raise UserError(f"{self._where}: no WFDB record in it (no .hea file)")
        read = partial(
            read_record,
            positive=positive,
            channel=channel,
            frequency=frequency,
            sums=read_sums(folder),
        )
        self.records, self.left_out = _usable(headers, read, skip_damaged)
        if not self.records:
            raise UserError(f"{self._where}: no record can be used: {self.left_out[0]}")
        self.files = sorted({folder / name for record in self.records for name in record.files})
        self.digest = files_digest(self.files)

    @property
    def remarks(self) -> list[str]:
        """What was left out, in a sentence each."""
        remarks = [f"left out by {SKIP_DAMAGED}: {reason}" for reason in self.left_out]
        outside = [record for record in self.records if record.outside]
        if not outside:
            return remarks
        total = sum(record.outside for record in outside)
        named = listed([f"{one.header.name} ({one.outside:,})" for one in outside], SHOWN)
        return [
            *remarks,
            f"beats outside of the signal are left out: {total:,}, of record {named}",
        ]

    def dataset_parameters(self, spec: Spec) -> dict:
        return {
            "source": self.name,
            "version": VERSION,
            "seed": SEED,
            "sha256": self.digest,
            "positive": self.positive,
            "at": self.at,
            "channel": self.channel,
        }

    def sizes(self, spec: Spec) -> dict[str, int]:
        return {split: len(self._windows(spec, split)[1]) for split in SPLITS}

    def draw(self, spec: Spec, split: str, start: int, stop: int) -> Samples:
        windows, labels = self._windows(spec, split)
        signal = np.empty((stop - start, spec.length), np.int16)
        chosen = windows[start:stop]
        for record in {window[0].header.name: window[0] for window in chosen}.values():
            whole = read_signal(self.folder, record.header)
            for place, (other, begin) in enumerate(chosen):
                if other is record:
                    signal[place] = whole[begin : begin + spec.length]
        return Samples(signal, labels[start:stop])

    def _windows(self, spec: Spec, split: str) -> tuple[list[tuple[Record, int]], np.ndarray]:
        """Returns where the samples of a split begin, and their labels, in random order.

        There are as many of each class: what the spec asks for, or what the rarer class allows.
        """
        generator = np.random.default_rng([SEED, spec.length]).spawn(2)[SPLITS.index(split)]
        cut = _beat_windows if (self.at or _usual(spec)) == "beats" else _strip_windows
        windows = [
            (part.record, start, label)
            for part in parts_of(self.records)[SPLITS.index(split)]
            for start, label in cut(part, spec.length)
        ]
        labels = np.array([label for _, _, label in windows], int)
        each = min(getattr(spec, split) // 2, np.sum(labels == 0), np.sum(labels == 1))
        if each == 0:
            missing = [f"class {label}" for label in (0, 1) if not np.any(labels == label)]
            what = "training" if split == "train" else split
            raise UserError(
                f"{self._where}: two classes are needed, but the {what} part holds no sample of "
                f"{' or '.join(missing)} for {spec.name!r} "
                f"(1 = with beats annotated {' or '.join(self.positive)}, 0 = without)"
            )
        chosen = np.concatenate(
            [
                generator.choice(np.flatnonzero(labels == label), each, replace=False)
                for label in (0, 1)
            ]
        )
        chosen = chosen[generator.permutation(len(chosen))]
        return [windows[i][:2] for i in chosen], labels[chosen].astype(np.int64)


def _usable(
    headers: list[Path], read: Callable[[Path], Record], skip_damaged: bool
) -> tuple[list[Record], list[str]]:
    """Returns the records that `read` takes, and why it takes none of the others.

    Raises:
        UserError: it does not take a record, and `skip_damaged` is not given.
    """
    records, reasons = [], []
    for path in headers:
        try:
            records.append(read(path))
        except UserError as error:
            if not skip_damaged:
                raise UserError(f"{error}{HINT if len(headers) > 1 else ''}") from error
            reasons.append(str(error))
    return records, reasons


def read_record(
    path: Path,
    positive: tuple[str, ...] = PREMATURE,
    channel: str = "0",
    frequency: float | None = FREQUENCY,
    sums: Sums | None = None,
) -> Record:
    """Reads a record, and checks its signal against its header.

    Annotations that mark no beat, such as rhythms and comments, are ignored wherever they stand.

    Args:
        path: the header file.
        positive: annotation symbols of positive beats.
        channel: the number of the signal, from 0, or its name.
        frequency: the sampling in Hz that the record must have; None allows any.
        sums: the checksums that its files must have.

    Raises:
        UserError: a file is missing, is cut short, or disagrees with the header or its checksum; a
            value is invalid or does not fit; beats are out of order, or most of them outside of the
            signal; or the record has another sampling.
    """
    if sums is not None:
        sums.check(path)
        for name in (*signal_files(path), f"{path.stem}.atr"):
            sums.check(path.parent / name)
    header = read_header(path, channel)
    read_signal(path.parent, header)
    places, symbols = read_annotations(path.parent, header)
    if frequency is not None and header.frequency != frequency:
        raise UserError(
            f"{path.parent}: record {header.name} is sampled at {header.frequency:g} Hz; "
            f"{frequency} Hz is needed"
        )
    is_beat = np.isin(symbols, list(BEATS | set(positive)))
    beats, symbols = places[is_beat], symbols[is_beat]
    inside = _inside(path.parent, header, beats)
    return Record(header, beats[inside], np.isin(symbols[inside], positive), int(np.sum(~inside)))


def _inside(folder: Path, header: Header, beats: np.ndarray) -> np.ndarray:
    """Returns which beats stand within the signal, bool [beats].

    Source: WFDB Applications Guide, annot(5): annotations are in order of time. Their times are
    stored as differences, so a damaged one moves all that follow.

    Raises:
        UserError: the beats are out of order, or most of them are outside.
    """
    where = f"{folder}: record {header.name}: {header.name}.atr is damaged"
    back = np.flatnonzero(np.diff(beats) < 0)
    if len(back):
        before, after = beats[back[0] : back[0] + 2]
        raise UserError(
            f"{where}: its beats are out of order: one at sample {before} comes before one at "
            f"sample {after}"
        )
    inside = (beats >= 0) & (beats < header.length)
    outside = int(np.sum(~inside))
    if outside > OUTSIDE * len(beats):
        raise UserError(
            f"{where}, or belongs to another signal: {outside:,} of its {len(beats):,} beats "
            f"stand outside of the signal, which has {header.length:,} values"
        )
    return inside


def read_signal(folder: Path, header: Header) -> np.ndarray:
    """Reads the signal of a record: int16 [length], in 1/200 of its unit, without the baseline.

    Raises:
        UserError: `read_counts` raises it, or a value does not fit into int16.
    """
    counts = np.round(
        (read_counts(folder, header) - header.baseline) * (COUNTS_PER_MV / header.gain)
    )
    wrong = np.flatnonzero((counts < COUNTS.min) | (counts > COUNTS.max))
    if len(wrong):
        value, most = counts[wrong[0]] / COUNTS_PER_MV, COUNTS.max / COUNTS_PER_MV
        raise UserError(
            f"{folder}: record {header.name}: signal {header.channel} is {value:g} of its unit at "
            f"sample {wrong[0]} (counted from 0); up to {most:.0f} can be kept, in steps of "
            f"1/{COUNTS_PER_MV}: choose another signal"
        )
    return counts.astype(np.int16)


def parts_of(records: list[Record]) -> tuple[list[RecordPart], list[RecordPart]]:
    """Returns the parts of all records for training, and those for evaluation."""
    for_training, held_out = [], []
    for record in records:
        duration = record.header.length
        boundaries = [
            0,
            *(int(share * duration) for stretch in HELD_OUT for share in stretch),
            duration,
        ]
        parts = [RecordPart(record, start, end) for start, end in zip(boundaries, boundaries[1:])]
        for_training += parts[::2]
        held_out += parts[1::2]
    return for_training, held_out


def _usual(spec: Spec) -> str:
    return "beats" if spec.size == "small" else "strips"


def _beat_windows(part: RecordPart, length: int) -> Iterator[tuple[int, int]]:
    """Yields (start, label) of every beat, with its R wave in the middle; a positive one has 1."""
    starts = part.record.beats - length // 2
    inside = (starts >= part.start) & (starts + length <= part.end)
    return zip(starts[inside], part.record.positive[inside].astype(int))


def _strip_windows(part: RecordPart, length: int) -> Iterator[tuple[int, int]]:
    """Yields (start, label) of strips: 1 with at least three positive beats, 0 without any."""
    positive = part.record.beats[part.record.positive]
    for start in range(part.start, part.end - length + 1, min(length, STRIP_HOP)):
        count = np.sum((positive >= start) & (positive < start + length))
        if count == 0 or count >= PREMATURE_PER_STRIP:
            yield start, int(count > 0)
