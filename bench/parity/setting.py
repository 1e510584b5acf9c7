"""What both ports of a comparison are given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.data.source import Source, Spec, at_most
from bench.data.synthetic import Synthetic
from bench.task import BATCH_SIZE

DATASETS = {
    "small": Spec("small", length=130, train=400, evaluation=500),
    "large": Spec("large", length=60_000, train=80, evaluation=36),
}
"""Datasets that a comparison trains on. Neither split is a multiple of the batch size."""

STEPS = 50
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class ComparisonSetting:
    """What both ports are given.

    `batch` and `names` are files for ports that are functions: an npz file with one batch, and a
    JSON map of variable names. The other fields choose what modules of the implementation contract
    train; `spec` takes the place of the dataset's own. With `first_only`, the comparison ends at
    the first difference. `timeout` is in seconds, for one call of a port.
    """

    batch: Path | None = None
    names: Path | None = None
    dataset: str = "small"
    outputs: str = "logits"
    optimizer: str = "adam"
    source: Source = field(default_factory=Synthetic)
    steps: int = STEPS
    timeout: float = TIMEOUT_S
    seed: int = 0
    spec: Spec | None = None
    first_only: bool = False


DEFAULT_SETTING = ComparisonSetting()


def compared_spec(spec: Spec) -> Spec:
    """Returns the spec of the samples that a comparison takes: few, with a partial last batch."""
    fewer = at_most(spec, DATASETS[spec.size])
    return replace(fewer, train=_uneven(fewer.train), evaluation=_uneven(fewer.evaluation))


def _uneven(samples: int) -> int:
    return samples - 1 if samples % BATCH_SIZE == 0 and samples > 1 else samples
