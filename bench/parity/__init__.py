"""Is it the same network? Two ports compared, stage by stage; `from bench.parity import compare`."""

from bench.parity.comparison import ComparisonSetting, compare, compared_spec

__all__ = ["ComparisonSetting", "compare", "compared_spec"]
