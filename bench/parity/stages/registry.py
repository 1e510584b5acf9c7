"""The stages of a comparison, in their order. A new stage needs a function and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.parity.comparison_state import ComparisonState
from bench.parity.result import Stage
from bench.parity.stages.curve import curve_stage
from bench.parity.stages.forward import forward_stage
from bench.parity.stages.metrics import metrics_stage
from bench.parity.stages.objective import gradients_stage, loss_stage
from bench.parity.stages.structure import data_stage, initial_stage, variables_stage
from bench.parity.stages.update import update_stage


@dataclass(frozen=True)
class ComparisonStage:
    """One stage: `compare` returns its result.

    `time_share` is about how long it takes, relative to the other stages. A stage that
    `needs_match` is left out where the variables of the ports do not match.
    """

    name: str
    compare: Callable[[ComparisonState], Stage]
    time_share: int
    needs_match: bool = True


STAGES = (
    ComparisonStage("data", data_stage, 2, needs_match=False),
    ComparisonStage("variables", variables_stage, 0, needs_match=False),
    ComparisonStage("initial weights", initial_stage, 1, needs_match=False),
    ComparisonStage("forward", forward_stage, 2),
    ComparisonStage("loss", loss_stage, 1),
    ComparisonStage("gradients", gradients_stage, 1),
    ComparisonStage("update", update_stage, 4),
    ComparisonStage("curve", curve_stage, 8),
    ComparisonStage("metrics", metrics_stage, 1),
)

STAGE_NAMES = tuple(stage.name for stage in STAGES)

LOADING = "loading"
"""What comes before the first stage: both processes import their port."""

TIME_SHARES = {LOADING: 8, **{stage.name: stage.time_share for stage in STAGES}}
"""About how long loading and the stages take, relative to each other."""
