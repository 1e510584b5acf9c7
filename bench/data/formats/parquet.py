"""Apache Parquet: a row a sample; the signal is a column of lists, or all columns of numbers but the labels'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.data.formats.chunk import LABELS, LENGTH, SIGNALS, Chunk, Unreadable, chosen, rows_at_once


def read(path: Path, signal: str | None, label: str | None) -> Iterator[Chunk]:
    """The rows of a file; `signal` and `label` are names of columns.

    Raises:
        Unreadable: it is damaged, or holds something else.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise Unreadable("has two columns of one name")
            of_labels = chosen(names, label, LABELS, "label", "--label-name")
            columns = _signal_columns(file.schema_arrow, of_labels, signal)
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(_rows_at_once(file), columns=[*columns, of_labels]):
                done += len(batch)
                yield Chunk(_signal(batch, columns), _labels(batch.column(of_labels)), done / total)
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise Unreadable(f"is damaged, or no Parquet file ({' '.join(str(error).split())[:200]})") from error


def _signal_columns(schema: pa.Schema, labels: str, signal: str | None) -> list[str]:
    others = [field for field in schema if field.name != labels]
    lists = [field.name for field in others if _is_list(field.type)]
    if signal is not None or lists:
        return [chosen([field.name for field in others], signal, (*SIGNALS, *lists[:1 if len(lists) == 1 else 0]), "signal",
                       "--signal-name")]
    texts = [field.name for field in others if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))]
    if texts or not others:
        raise Unreadable(f"has columns that are no numbers, such as {texts[0]!r}" if texts else "has no column but the labels'")
    if len(others) > LENGTH:
        raise Unreadable(f"has {len(others)} columns of values; 1 to {LENGTH:,} can be read")
    return [field.name for field in others]


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _rows_at_once(file: pq.ParquetFile) -> int:
    metadata = file.metadata
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    return min(rows_at_once(size // max(1, metadata.num_rows)), 2**16)


def _signal(batch: pa.RecordBatch, columns: list[str]) -> np.ndarray:
    arrays = [batch.column(name) for name in columns]
    if any(array.null_count for array in arrays):
        raise Unreadable("has missing values (null) in its signal")
    if not _is_list(arrays[0].type):
        return np.stack([array.to_numpy(zero_copy_only=False) for array in arrays], axis=1)
    lengths = np.unique(arrays[0].value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise Unreadable(f"has samples of {lengths[0]} and of {lengths[-1]} values in one file; all must be of one length")
    flat = arrays[0].flatten()
    if flat.null_count or not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
        raise Unreadable(f"has a signal of {flat.type} with {flat.null_count} missing; numbers are needed")
    return flat.to_numpy(zero_copy_only=False).reshape(len(batch), -1)


def _labels(array: pa.Array) -> np.ndarray:
    if array.null_count:
        raise Unreadable(f"has {array.null_count} rows without a label")
    return array.to_numpy(zero_copy_only=False)
