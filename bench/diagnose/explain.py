"""With a reference: what the first difference of two ports comes from."""

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
from bench.parity.comparison import ComparisonSetting, Scene, compare
from bench.parity.result import Explanation, Parity, Stage


def explained(
    reference: str,
    candidate: str,
    setting: ComparisonSetting = ComparisonSetting(),
    on_stage: Callable[[str], None] = lambda name: None,
) -> Parity:
    """`bench.parity.compare`, with the causes of the first difference and the candidate's lines to look at."""
    parity = compare(reference, candidate, setting, on_stage, explain)
    return replace(parity, explanations=lines_of(parity.explanations, candidate))


def explain(scene: Scene, stage: Stage) -> list[Explanation]:
    """The causes of a stage's difference, the likeliest first; none if it is unknown."""
    if stage.name == "data":
        return explain_data(*scene.received)
    if stage.name == "variables":
        return explain_variables(scene.match)
    if stage.name == "initial weights":
        return explain_initial(scene.drawn, scene.match, scene.weights_given)
    if stage.name == "forward":
        return explain_forward(scene.pairing)
    if stage.name == "loss":
        return explain_loss(scene.pairing)
    if stage.name == "gradients" and "None" in (
        stage.difference.reference,
        stage.difference.candidate,
    ):
        return [explanation("gradient_cut", "gradients", str(stage.difference))]
    if stage.name == "update":
        return explain_update(scene.pairing, stage)
    if stage.name == "metrics":
        return explain_metrics(scene)
    return []
