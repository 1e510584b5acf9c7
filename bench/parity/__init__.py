"""Compares two ports, stage by stage: `from bench.parity import compare`."""

from bench.parity.comparison import compare
from bench.parity.setting import ComparisonSetting, compared_spec
from bench.parity.stages.registry import STAGE_NAMES, TIME_SHARES

__all__ = ["STAGE_NAMES", "TIME_SHARES", "ComparisonSetting", "compare", "compared_spec"]
