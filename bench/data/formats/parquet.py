"""Apache Parquet: a sample per row; the signal is a column of lists, or all columns but one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.data.formats.chunk import (
    LABEL_NAMES,
    MAX_LENGTH,
    SIGNAL_NAMES,
    Chunk,
    Unreadable,
    choose_name,
    rows_at_once,
)

BUFFER_BYTES = 2**20
"""Size of the part of a column that is read at once."""

MAX_ROW_BYTES = 2**30
"""Largest size of a row in memory."""


def read(path: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """Reads the rows of a file; `signal` and `label` are names of columns.

    Raises:
        Unreadable: the file is damaged, or holds something else.
    """
    try:
        schema = pq.read_schema(path)
        names = schema.names
        if len(set(names)) < len(names):
            raise Unreadable("has two columns of one name")
        of_labels = choose_name(names, label, LABEL_NAMES, "label", "--label-name")
        if pa.types.is_nested(schema.field(of_labels).type):
            raise Unreadable(
                f"has labels {of_labels!r} of {schema.field(of_labels).type}; "
                "one a sample is needed"
            )
        with pq.ParquetFile(
            path,
            page_checksum_verification=True,
            buffer_size=BUFFER_BYTES,
            read_dictionary=[of_labels],  # a long label is held in memory once
        ) as file:
            columns = _signal_columns(schema, of_labels, signal)
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(_rows_at_once(file), columns=[*columns, of_labels]):
                done += len(batch)
                yield Chunk(_signal(batch, columns), _labels(batch.column(of_labels)), done / total)
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise Unreadable(
            f"is damaged, or no Parquet file ({' '.join(str(error).split())[:200]})"
        ) from error


def _signal_columns(schema: pa.Schema, labels: str, signal: str | None) -> list[str]:
    others = [field for field in schema if field.name != labels]
    lists = [field.name for field in others if _is_list(field.type)]
    if signal is not None or lists:
        return [
            choose_name(
                [field.name for field in others],
                signal,
                (*SIGNAL_NAMES, *lists[: 1 if len(lists) == 1 else 0]),
                "signal",
                "--signal-name",
            )
        ]
    texts = [
        field.name
        for field in others
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))
    ]
    if texts or not others:
        raise Unreadable(
            f"has columns that are no numbers, such as {texts[0]!r}"
            if texts
            else "has no column but the labels'"
        )
    if len(others) > MAX_LENGTH:
        raise Unreadable(f"has {len(others)} columns of values; 1 to {MAX_LENGTH:,} can be read")
    return [field.name for field in others]


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _rows_at_once(file: pq.ParquetFile) -> int:
    """Returns the rows of a chunk by their size in memory: on disk, repeated values take little."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    row_bytes = max((_row_bytes(group) for group in groups), default=0)
    if row_bytes > MAX_ROW_BYTES:
        raise Unreadable(f"has rows of {row_bytes:,} bytes; {MAX_ROW_BYTES:,} at most can be read")
    return rows_at_once(row_bytes)


def _row_bytes(group: pq.RowGroupMetaData) -> int:
    """Returns the mean size of a group's rows in memory: eight bytes per value, and the texts."""
    values = sum(group.column(place).num_values for place in range(group.num_columns))
    return (8 * values + group.total_byte_size) // max(1, group.num_rows)


def _signal(batch: pa.RecordBatch, columns: list[str]) -> np.ndarray:
    arrays = [batch.column(name) for name in columns]
    if any(array.null_count for array in arrays):
        raise Unreadable("has missing values (null) in its signal")
    if not _is_list(arrays[0].type):
        return np.stack([array.to_numpy(zero_copy_only=False) for array in arrays], axis=1)
    lengths = np.unique(arrays[0].value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise Unreadable(
            f"has samples of {lengths[0]} and of {lengths[-1]} values in one file; "
            "all must be of one length"
        )
    flat = arrays[0].flatten()
    if flat.null_count or not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
        raise Unreadable(
            f"has a signal of {flat.type} with {flat.null_count} missing; numbers are needed"
        )
    return flat.to_numpy(zero_copy_only=False).reshape(len(batch), -1)


def _labels(array: pa.Array) -> np.ndarray:
    if array.null_count:
        raise Unreadable(f"has {array.null_count} rows without a label")
    if not pa.types.is_dictionary(array.type):
        return array.to_numpy(zero_copy_only=False)
    if array.dictionary.null_count:
        raise Unreadable("has rows without a label")
    return array.dictionary.to_numpy(zero_copy_only=False)[array.indices.to_numpy()]
