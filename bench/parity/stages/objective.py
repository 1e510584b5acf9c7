"""The stages of what is minimised, at equal weights: the loss and its gradients."""

from __future__ import annotations

import numpy as np

from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import RANDOM_ORDER, SATURATING, Values, View
from bench.parity.result import Stage, difference_between

SATURATED, SATURATED_VALUE = "losses of saturated outputs", "value of saturated outputs"


def loss_stage(state: ComparisonState) -> Stage:
    """Compares per-sample losses, regularisation, reduction, and the value that is minimised.

    Compares also the losses of outputs so large that they saturate.
    """
    pairing = state.pairing
    batch = pairing.inputs.batches[0]
    saturating = pairing.with_outputs(SATURATING)

    def measurement(view: View) -> Values:
        view.set_weights(pairing.weights)
        found: Values = {}
        for mode in ("evaluation", "training") if pairing.aligned else ("evaluation",):
            loss = view.ask("loss", view.batch(batch), mode == "training", 0)
            found[f"per-sample losses, {mode} mode"] = loss.per_sample
            found[f"regularisation, {mode} mode"] = np.array(loss.regularisation)
            found[f"value, {mode} mode"] = np.array(loss.value)
        view.set_weights(saturating)
        loss = view.ask("loss", view.batch(batch), False, 0)
        found[SATURATED], found[SATURATED_VALUE] = loss.per_sample, np.array(loss.value)
        return found

    judged = pairing.judge(measurement)
    saturated_value = judged.reference[SATURATED_VALUE]
    if saturated_value is None or not np.isfinite(saturated_value):  # a port need not be better
        judged.judgements.pop(SATURATED, None)
        judged.judgements.pop(SATURATED_VALUE, None)
    elif SATURATED in judged.judgements:
        judged.judgements.pop(SATURATED_VALUE)
    unseen = [
        f"{port}'s per-sample losses are not seen"
        for port, answer in (
            ("the reference", judged.reference),
            ("the candidate", judged.candidate),
        )
        if answer["per-sample losses, evaluation mode"] is None
    ]
    reductions = [_reduction(answer) for answer in (judged.reference, judged.candidate)]
    compared = f"{len(batch)} samples, reduced by {reductions[0]}"
    per_sample = judged.judgements.get("per-sample losses, evaluation mode")
    if (
        reductions[0] != reductions[1]
        and per_sample is not None
        and per_sample.verdict != "different"
    ):
        values = (
            f"{reduction} = {_number(answer, 'value, evaluation mode'):.8g}"
            for reduction, answer in zip(reductions, (judged.reference, judged.candidate))
        )
        difference = difference_between("reduction", values)
        return Stage("loss", "different", compared, difference, notes=unseen)
    return judged.stage("loss", compared, unseen)


def _number(answer: Values, what: str) -> float:
    """Returns a quantity that is one number."""
    value = answer[what]
    return np.nan if value is None else float(value)


def _reduction(answer: Values) -> str:
    """Finds how the value is computed from the per-sample losses, by trying."""
    per_sample = answer["per-sample losses, evaluation mode"]
    value = _number(answer, "value, evaluation mode")
    if per_sample is None:
        return "not seen"
    rest = value - _number(answer, "regularisation, evaluation mode")
    for name, reduced in (
        ("mean over samples", per_sample.mean()),
        ("sum over samples", per_sample.sum()),
    ):
        if np.isclose(rest, reduced, rtol=1e-4, atol=1e-6):
            return name
        if np.isclose(value, reduced, rtol=1e-4, atol=1e-6):
            return f"{name}, regularisation left out"
    return "neither mean nor sum"


def gradients_stage(state: ComparisonState) -> Stage:
    """Compares the derivative of the loss by every trainable variable. None is not zero."""
    pairing = state.pairing
    batch = pairing.inputs.batches[0]

    def measurement(view: View) -> Values:
        view.set_weights(pairing.weights)
        return view.named(view.ask("gradients", view.batch(batch), 0))

    if not pairing.aligned:
        return Stage("gradients", "not seen", RANDOM_ORDER)
    judged = pairing.judge(measurement)
    compared = f"{len(judged.judgements)} variables"
    for name in judged.reference:
        if name in judged.candidate and (judged.reference[name] is None) != (
            judged.candidate[name] is None
        ):
            norms = (_norm(answer[name]) for answer in (judged.reference, judged.candidate))
            return Stage("gradients", "different", compared, difference_between(name, norms))
    silent = all(value is None or not value.any() for value in judged.reference.values())
    return judged.stage(
        "gradients",
        compared,
        ["every gradient is exactly 0: the update shows nothing"] if silent else [],
    )


def _norm(gradient: np.ndarray | None) -> str:
    return "None" if gradient is None else f"norm {np.linalg.norm(gradient.astype(np.float64)):.6g}"
