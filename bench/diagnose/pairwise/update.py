"""Updates of two ports from equal weights by equal gradients: what explains a difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.diagnose.causes import explanation
from bench.parity.pairing import Pairing, View
from bench.parity.port import Weights
from bench.parity.result import Explanation, Stage
from bench.parity.stages.update import AFTER_CHANGE, learning_rate_steps

UPDATE_TOLERANCE = 1e-3
"""Relative tolerance of an update."""

Slots = dict[str, list[tuple[str, np.ndarray]]]
"""The optimizer's state: for every variable, a list of (role, value)."""


@dataclass(frozen=True)
class Step:
    """One training step of a port. Variables have the reference's names.

    Attributes:
        rates: learning rates at several steps; None if they cannot be read.
        counted: number of steps counted after the step; None if the port does not count.
        slots_before: the optimizer's state before the step.
        gradients: gradients of the step.
        slots: the optimizer's state after the step.
        weights: weights after the step.
    """

    rates: np.ndarray | None
    counted: int | None
    slots_before: Slots
    gradients: dict[str, np.ndarray | None]
    slots: Slots
    weights: Weights


def explain_update(pairing: Pairing, stage: Stage) -> list[Explanation]:
    """Returns the causes of a difference in the update stage."""
    reference, candidate = pairing.measure(lambda view: {"step": _step(pairing, view)})
    ours, theirs = reference["step"], candidate["step"]
    names = [view.ask("optimizer") for view in (pairing.reference, pairing.candidate)]
    found = _statistics(pairing, ours, theirs) or _rates(ours, theirs) or _counted(ours, theirs)
    if found:
        return found
    if None not in names and _family(names[0].name) != _family(names[1].name):
        return [
            explanation(
                "other_optimizer",
                "update",
                f"the candidate's optimizer is {names[1].name}, the reference's is {names[0].name}",
            )
        ]
    return (
        _slot_start(ours, theirs)
        or _clipping(ours, theirs)
        or _momentum_form(stage)
        or _epsilon(pairing, stage)
        or [
            explanation(
                "optimizer_constants",
                "update",
                "learning rate and gradients are equal, but the updates differ: "
                f"{stage.difference}",
            )
        ]
    )


def _step(pairing: Pairing, view: View) -> Step:
    batch = view.batch(pairing.inputs.batches[0])
    view.set_weights(pairing.weights)
    rates = view.ask("learning_rates", learning_rate_steps(pairing.steps), batch)
    view.set_weights(pairing.weights)
    before = view.slots()
    gradients = view.named(view.ask("gradients", batch, 1))
    view.ask("step", batch, 1)
    return Step(rates, view.ask("steps_counted"), before, gradients, view.slots(), view.weights())


def _statistics(pairing: Pairing, ours: Step, theirs: Step) -> list[Explanation]:
    """Explains a difference of variables that have no gradient."""
    for name, value in ours.weights.items():
        if name in ours.gradients or np.allclose(
            value, theirs.weights.get(name, value), rtol=UPDATE_TOLERANCE, atol=1e-6
        ):
            continue
        start = pairing.weights[name]
        moved = [float(np.abs(step.weights[name] - start).max()) for step in (ours, theirs)]
        if moved[1] == 0:
            return [
                explanation(
                    "statistics_not_updated",
                    "update",
                    f"in the first step {name} does not change in the candidate, and changes by "
                    f"{moved[0]:.4g} in the reference",
                )
            ]
        return [
            explanation(
                "statistics_differ",
                "update",
                f"in the first step {name} changes by {moved[1]:.4g} in the candidate and by "
                f"{moved[0]:.4g} in the reference",
            )
        ]
    return []


def _rates(ours: Step, theirs: Step) -> list[Explanation]:
    if (
        ours.rates is None
        or theirs.rates is None
        or np.allclose(ours.rates, theirs.rates, rtol=1e-5, atol=0)
    ):
        return []
    constant = [bool(np.ptp(rates) <= 1e-6 * abs(rates[0])) for rates in (ours.rates, theirs.rates)]
    numbers = (
        f"{theirs.rates[0]:.6g} at the start and {theirs.rates[-1]:.6g} at the end in the "
        f"candidate, {ours.rates[0]:.6g} and {ours.rates[-1]:.6g} in the reference"
    )
    if constant[1] and not constant[0]:
        return [explanation("steps_not_counted", "update", f"the learning rate is {numbers}")]
    if constant == [True, True]:
        return [
            explanation(
                "learning_rate",
                "update",
                f"the learning rate is {theirs.rates[0]:.6g} in the candidate and "
                f"{ours.rates[0]:.6g} in the reference",
            )
        ]
    return [explanation("schedule_differs", "update", f"the learning rate is {numbers}")]


def _counted(ours: Step, theirs: Step) -> list[Explanation]:
    if ours.rates is None or np.ptp(ours.rates) == 0 or ours.counted != 1 or theirs.counted != 0:
        return []
    return [
        explanation(
            "steps_not_counted",
            "update",
            "after one step the reference's counter is 1, the candidate's is 0",
        )
    ]


def _slot_start(ours: Step, theirs: Step) -> list[Explanation]:
    for name, slots in ours.slots_before.items():
        others = theirs.slots_before.get(name, [])
        starts = [
            sorted({float(value.flat[0]) for _, value in side if value.size})
            for side in (slots, others)
        ]
        different = [value for value in starts[1] if value not in starts[0]] or [
            value for value in starts[0] if value not in starts[1]
        ]
        if slots and others and different:
            return [
                explanation(
                    "slot_start",
                    "update",
                    f"the optimizer's slots of {name} start at {_list(starts[1])} in the candidate "
                    f"and at {_list(starts[0])} in the reference",
                )
            ]
    return []


def _list(values: list[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)


def _clipping(ours: Step, theirs: Step) -> list[Explanation]:
    """Explains gradients that are multiplied by a factor before they reach the optimizer."""
    factors: dict[str, float] = {}
    norms: dict[str, tuple[float, float]] = {}
    for name, gradient in ours.gradients.items():
        used = [_first_moment(step, name) for step in (ours, theirs)]
        values_used = [value.astype(np.float64) for value in used if value is not None]
        if gradient is None or len(values_used) < 2:
            return []
        first, second = (float(np.linalg.norm(value)) for value in values_used)
        if first > 0:
            factors[name] = second / first
            norms[name] = float(np.linalg.norm(gradient.astype(np.float64))), second
    values = np.array(list(factors.values()))
    if not len(values) or np.allclose(values, 1, rtol=UPDATE_TOLERANCE):
        return []
    numbers = ", ".join(f"{name} {factor:.3g}" for name, factor in factors.items())
    clipped = [after for before, after in norms.values() if before > 1e-12]
    if np.ptp(values) > UPDATE_TOLERANCE * values.max() and np.ptp(
        np.sort(clipped)[-2:]
    ) < UPDATE_TOLERANCE * max(clipped):
        return [
            explanation(
                "clipping_per_variable",
                "update",
                "relative to the reference, the gradients that reach the candidate's optimizer are "
                f"multiplied by {numbers}; several of them have the same norm",
            )
        ]
    return [
        explanation(
            "clipping_differs",
            "update",
            "relative to the reference, the gradients that reach the candidate's optimizer are "
            f"multiplied by {numbers}",
        )
    ]


def _first_moment(step: Step, name: str) -> np.ndarray | None:
    """Returns a multiple of the gradient that reached the optimizer; None if no slot holds it.

    A slot that started at 0 holds it after one step.
    """
    for (role, value), (_, before) in zip(
        step.slots.get(name, []), step.slots_before.get(name, [])
    ):
        if not before.any() and role in ("m", "momentum", "momentums", "accum", "_momentums"):
            return value
    return None


def _momentum_form(stage: Stage) -> list[Explanation]:
    if stage.difference is None or not stage.difference.what.startswith(AFTER_CHANGE):
        return []
    return [
        explanation(
            "momentum_form",
            "update",
            f"the ports agree until the learning rate changes: {stage.difference}",
        )
    ]


def _epsilon(pairing: Pairing, stage: Stage) -> list[Explanation]:
    """Finds updates that differ more for smaller gradients, as an epsilon makes them."""
    pairing.reference.set_weights(pairing.weights)
    gradients = {
        name: value
        for name, value in pairing.reference.ask("gradients", pairing.inputs.batches[0], 0).items()
        if value is not None
    }
    differences = []
    for scale in (1.0, 1e-6):
        scaled = {name: (value * scale).astype(value.dtype) for name, value in gradients.items()}

        def moved(view: View, scaled=scaled) -> dict:
            view.set_weights(pairing.weights)
            applied = view.ask("apply", view.own(scaled), view.batch(pairing.inputs.batches[0]))
            return view.weights() if applied else {}

        ours, theirs = pairing.measure(moved)
        if not ours or not theirs:
            return []
        steps = [
            np.concatenate([(side[name] - pairing.weights[name]).ravel() for name in scaled])
            for side in (ours, theirs)
        ]
        size = float(np.linalg.norm(steps[0]))
        differences.append(float(np.linalg.norm(steps[1] - steps[0])) / max(size, 1e-30))
    if differences[1] > 3 * differences[0] and differences[1] > UPDATE_TOLERANCE:
        return [
            explanation(
                "epsilon",
                "update",
                f"the updates differ by {differences[0]:.2g} of their size, and by "
                f"{differences[1]:.2g} if the gradients are a million times smaller",
            )
        ]
    return []


def _family(name: str) -> str:
    known = {"GradientDescent": "SGD", "Momentum": "SGD", "RMSProp": "RMSprop"}
    return known.get(name, name).lower()
