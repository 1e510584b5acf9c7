"""A folder of WFDB records, as PhysioNet distributes them, as a source of samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb

from bench.data.source import COUNTS_PER_MV, FREQUENCY, Samples, Spec, shuffled
from bench.task import UserError

PREMATURE = "V"
BEATS = set("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols that mark a beat (WFDB Applications Guide, annotation codes)."""

HELD_OUT = ((0.2, 0.3), (0.7, 0.8))
"""Stretches of each record's duration that are for evaluation; no sample reaches over their ends. Two of them,
away from the ends: rhythms drift over half an hour, and the last fifth alone is another classification task."""

STRIP_HOP = 900
"""Values between the starts of two strips of one record: strips of one part overlap."""

PREMATURE_PER_STRIP = 3
SEED = 0
VERSION = 1
"""To be raised when the same records give other samples."""


@dataclass(frozen=True)
class Record:
    """The first signal of a record in counts of 1/200 mV with the baseline removed, and its beats."""

    name: str
    signal: np.ndarray
    beats: np.ndarray
    premature: np.ndarray


@dataclass(frozen=True)
class Part:
    """A stretch of one record, [start, end), out of which one split is cut."""

    record: Record
    start: int
    end: int


class Records:
    """Beats and strips of all records of a folder, each record split by time."""

    name = "wfdb"

    def __init__(self, folder: Path):
        """Reads and checks every record.

        Raises:
            UserError: the folder or one of its records cannot be used; the message says which and why.
        """
        if not folder.is_dir():
            raise UserError(f"--records {folder}: there is no such folder")
        headers = sorted(folder.glob("*.hea"))
        if not headers:
            raise UserError(f"--records {folder}: no WFDB record in it (no .hea file)")
        self.folder = folder
        self.records = [read_record(header) for header in headers]
        self.digest = _digest(folder)

    def recipe(self, spec: Spec) -> dict:
        return {"source": self.name, "version": VERSION, "seed": SEED, "sha256": self.digest}

    def draw(self, spec: Spec) -> tuple[Samples, Samples]:
        """As many samples as the spec asks for, or as the rarer class allows.

        Raises:
            UserError: one of the two classes is missing in a part.
        """
        train, evaluation = np.random.default_rng([SEED, spec.length]).spawn(2)
        for_training, held_out = parts_of(self.records)
        return (
            self._draw_split(spec, spec.train, "training", for_training, train),
            self._draw_split(spec, spec.evaluation, "evaluation", held_out, evaluation),
        )

    def _draw_split(self, spec: Spec, samples: int, split: str, parts: list[Part], generator) -> Samples:
        cut = _beat_windows if spec.name == "small" else _strip_windows
        windows = [(part.record, start, label) for part in parts for start, label in cut(part, spec.length)]
        labels = np.array([label for _, _, label in windows], int)
        each = min(samples // 2, np.sum(labels == 0), np.sum(labels == 1))
        if each == 0:
            missing = [f"class {label}" for label in (0, 1) if not np.any(labels == label)]
            raise UserError(
                f"--records {self.folder}: two classes are needed, but the {split} part holds no sample of "
                f"{' or '.join(missing)} for {spec.name!r} (1 = with beats annotated V, 0 = without)")
        chosen = np.concatenate([generator.choice(np.flatnonzero(labels == label), each, replace=False)
                                 for label in (0, 1)])
        signal = np.stack([windows[i][0].signal[windows[i][1]:windows[i][1] + spec.length] for i in chosen])
        return shuffled(signal, labels[chosen], generator)


def read_record(header: Path) -> Record:
    """One record, checked against its own header.

    Raises:
        UserError: a file is missing, cut short or disagrees with the header, or the sampling is another one.
    """
    name = header.stem
    if not header.with_suffix(".atr").is_file():
        raise UserError(f"{header.parent}: record {name} has no annotation file {name}.atr")
    try:
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, channels=[0])
        annotation = wfdb.rdann(str(header.with_suffix("")), "atr")
    except Exception as error:  # wfdb raises whatever its parsing runs into, a path in a header included
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{header.parent}: record {name} cannot be read: its .hea, .dat or .atr file is damaged, "
                        f"missing or cut short ({reason})") from error
    if record.checksum != record.calc_checksum():
        raise UserError(f"{header.parent}: record {name}: {name}.hea disagrees with the signal file (checksum)")
    if record.fs != FREQUENCY:
        raise UserError(f"{header.parent}: record {name} is sampled at {record.fs} Hz; {FREQUENCY} Hz is needed")
    counts = (record.d_signal[:, 0] - record.baseline[0]) * (COUNTS_PER_MV / record.adc_gain[0])
    is_beat = np.isin(annotation.symbol, list(BEATS))
    symbols = np.array(annotation.symbol)[is_beat]
    return Record(name, np.round(counts), annotation.sample[is_beat], symbols == PREMATURE)


def parts_of(records: list[Record]) -> tuple[list[Part], list[Part]]:
    """What every record gives to training and to evaluation."""
    for_training, held_out = [], []
    for record in records:
        duration = len(record.signal)
        boundaries = [0, *(int(share * duration) for stretch in HELD_OUT for share in stretch), duration]
        parts = [Part(record, start, end) for start, end in zip(boundaries, boundaries[1:])]
        for_training += parts[::2]
        held_out += parts[1::2]
    return for_training, held_out


def _beat_windows(part: Part, length: int):
    """(start, label) of every beat with its R wave in the middle; label 1 is a premature ventricular beat."""
    starts = part.record.beats - length // 2
    inside = (starts >= part.start) & (starts + length <= part.end)
    return zip(starts[inside], part.record.premature[inside].astype(int))


def _strip_windows(part: Part, length: int):
    """(start, label) of strips with at least three premature beats, or with none."""
    premature = part.record.beats[part.record.premature]
    for start in range(part.start, part.end - length + 1, STRIP_HOP):
        count = np.sum((premature >= start) & (premature < start + length))
        if count == 0 or count >= PREMATURE_PER_STRIP:
            yield start, int(count > 0)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and the contents of the records' files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".hea", ".dat", ".atr"}:
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
