"""Diagnosis with a reference: the causes of the first difference of two ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.diagnose.causes import explanation
from bench.diagnose.lines import lines_of
from bench.diagnose.pairwise.data import explain_data
from bench.diagnose.pairwise.forward import explain_forward
from bench.diagnose.pairwise.loss import explain_loss
from bench.diagnose.pairwise.metrics import explain_metrics
from bench.diagnose.pairwise.update import explain_update
from bench.diagnose.pairwise.weights import explain_initial, explain_variables
from bench.parity import ComparisonSetting, compare
from bench.parity.comparison_state import ComparisonState
from bench.parity.remote_port import RemotePort
from bench.parity.result import Difference, Explanation, Parity, Stage
from bench.parity.setting import DEFAULT_SETTING


def explained(
    reference: str | RemotePort,
    candidate: str,
    setting: ComparisonSetting = DEFAULT_SETTING,
    on_stage: Callable[[str], None] = lambda name: None,
) -> Parity:
    """Compares two ports, and adds the causes of the first difference and the lines to check.

    The arguments are those of `bench.parity.compare`.
    """
    parity = compare(reference, candidate, setting, on_stage, explain)
    return replace(parity, explanations=lines_of(parity.explanations, candidate))


def explain(state: ComparisonState, stage: Stage) -> list[Explanation]:
    """Returns the causes of a stage's difference, the likeliest first; none if it is unknown."""
    if stage.name == "data" and state.trainings is not None:
        return explain_data(state.trainings.reference, state.trainings.candidate)
    if stage.name == "variables":
        return explain_variables(state.match)
    if stage.name == "initial weights":
        return explain_initial(state.initial_weights, state.match, state.weights_given)
    if stage.name == "forward":
        return explain_forward(state.pairing)
    if stage.name == "loss":
        return explain_loss(state.pairing)
    if stage.name == "gradients":
        return _explain_gradients(stage.difference)
    if stage.name == "update":
        return explain_update(state.pairing, stage)
    if stage.name == "metrics" and state.trainings is not None:
        return explain_metrics(state.trainings, state.pairing, state.initial_weights[0][0])
    return []


def _explain_gradients(difference: Difference | None) -> list[Explanation]:
    if difference is None or "None" not in (difference.reference, difference.candidate):
        return []
    return [explanation("gradient_cut", "gradients", str(difference))]
