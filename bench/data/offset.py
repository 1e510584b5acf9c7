"""Finds offsets: how far values stand from 0, against how far they vary around their mean.

Values with an offset have its scale, which says nothing about a sample, and train more slowly than
values around 0.

Source: LeCun et al. 1998, Efficient BackProp, section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.records import Record, read_signal
from bench.data.source import COUNTS_PER_MV

LARGE = 3.0
"""Ratio of mean to deviation, above which an offset is large.

At 3, the offset makes 9/10 of the mean square. Twelve records of the MIT-BIH database have 0.3 to
2.7. With an offset of 5 mV they would have 6 to 28.
"""


@dataclass(frozen=True)
class Offset:
    """The mean of some values, and their standard deviation."""

    mean: float
    deviation: float

    @property
    def is_large(self) -> bool:
        """Whether the mean is more than `LARGE` deviations away from 0."""
        return abs(self.mean) > LARGE * self.deviation


@dataclass(frozen=True)
class RecordOffset:
    """The offset of a record's signal.

    Attributes:
        name: the name of the record.
        offset: of the signal, in its unit.
        unit: the unit.
        baseline: what the header gives as the converter's count at 0 units.
        mean_count: the mean of the converter's counts. With this as its baseline, the signal has no
            offset.
    """

    name: str
    offset: Offset
    unit: str
    baseline: int
    mean_count: int


def offset_of(values: np.ndarray) -> Offset:
    """Returns the offset of an array of any shape."""
    return Offset(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))


def record_offset(folder: Path, record: Record) -> RecordOffset:
    """Returns the offset of the signal of a record in `folder`.

    Raises:
        UserError: `read_signal` raises it.
    """
    header = record.header
    offset = offset_of(read_signal(folder, header) / COUNTS_PER_MV)
    mean_count = round(header.baseline + offset.mean * header.gain)
    return RecordOffset(header.name, offset, header.unit, header.baseline, mean_count)
