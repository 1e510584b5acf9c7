"""A folder of TFRecords of `tf.train.Example`, with a feature of values and one of labels.

The values are numbers, or int16 as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.data.formats.chunk import (
    CHUNK_BYTES,
    CHUNK_SAMPLES,
    LABEL_NAMES,
    MAX_LENGTH,
    SIGNAL_NAMES,
    Chunk,
    Unreadable,
    choose_name,
)

MAX_RECORD_BYTES = 4 * MAX_LENGTH + 2**16
"""Size of the longest sample as float32, with its label."""


def files_of(folder: Path) -> list[Path]:
    """Returns the TFRecord files of a folder, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if ".tfrec" in path.name and path.is_file() and path.resolve().parent == folder.resolve()
    )


def read(folder: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """Reads the examples of all files; `signal` and `label` are names of features.

    Raises:
        Unreadable: a file is damaged, or holds something else.
    """
    import tensorflow as tf  # it takes seconds to import, and no other format needs it

    files = files_of(folder)
    for number, path in enumerate(files):
        try:
            _check_sizes(path)
            rows: list = []
            held = 0
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                rows.append(_parsed(record, signal, label, tf))
                _check_length(rows)
                held += max(len(record), rows[-1][0].nbytes)
                if held >= CHUNK_BYTES or len(rows) == CHUNK_SAMPLES:
                    yield _chunk(rows, number / len(files))
                    rows, held = [], 0
            if rows:
                yield _chunk(rows, (number + 1) / len(files))
        except tf.errors.OpError as error:
            raise Unreadable(
                f"holds {path.name}, which is damaged ({error.message.splitlines()[0][:200]})"
            ) from error
        except Unreadable as error:
            raise Unreadable(f"holds {path.name}, which {error}") from error


def _parsed(record: bytes, signal: str | None, label: str | None, tf) -> tuple[np.ndarray, object]:
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # every release of protobuf has another class for DecodeError
        raise Unreadable("holds a record that is no tf.train.Example") from error
    names = sorted(features)
    of_labels = choose_name(names, label, LABEL_NAMES, "label", "--label-name")
    of_signal = choose_name(
        [name for name in names if name != of_labels],
        signal,
        SIGNAL_NAMES,
        "signal",
        "--signal-name",
    )
    labels = _values(features[of_labels])
    if len(labels) != 1:
        raise Unreadable(f"has {len(labels)} labels {of_labels!r} in one example")
    return _numbers(features[of_signal], of_signal), labels[0]


def _values(feature) -> list:
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value) if kind else []
    return (
        [value.decode(errors="backslashreplace") for value in values]
        if kind == "bytes_list"
        else values
    )


def _numbers(feature, name: str) -> np.ndarray:
    kind = feature.WhichOneof("kind")
    if kind == "float_list":
        return np.array(feature.float_list.value, np.float32)
    if kind == "int64_list":
        return np.array(feature.int64_list.value, np.int64)
    content = feature.bytes_list.value if kind else []
    if len(content) != 1 or len(content[0]) % 2:
        raise Unreadable(f"has a signal {name!r} that is neither numbers nor bytes of int16")
    return np.frombuffer(content[0], "<i2")


def _check_sizes(path: Path) -> None:
    """Checks that no record announces more bytes than the file has, or than a sample takes.

    TensorFlow would allocate that memory before it reads the record.
    """
    size, end = path.stat().st_size, 0
    with path.open("rb") as file:
        while announced := file.read(8):
            record = int.from_bytes(announced, "little")
            end += 16 + record  # eight bytes hold its size, and two times four a checksum
            if end > size:
                raise Unreadable(
                    f"is damaged or cut short: it has {size:,} bytes, "
                    f"and a record that ends at {end:,}"
                )
            if record > MAX_RECORD_BYTES:
                raise Unreadable(
                    f"has a record of {record:,} bytes; {MAX_RECORD_BYTES:,} at most can be read"
                )
            file.seek(end)


def _check_length(rows: list) -> None:
    first, last = len(rows[0][0]), len(rows[-1][0])
    if first != last:
        raise Unreadable(f"has samples of {first} and of {last} values; all must be of one length")


def _chunk(rows: list, done: float) -> Chunk:
    return Chunk(
        np.stack([signal for signal, _ in rows]),
        np.array([label for _, label in rows], object),
        done,
    )
