"""The curve stage: consecutive training steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.parity import known_differences
from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import RANDOM_ORDER, Pairing, View
from bench.parity.port import Weights
from bench.parity.result import Stage, difference_of
from bench.parity.rounding import SHOWN, Judgement, multiple, perturbed, same_bits


def curve_stage(state: ComparisonState) -> Stage:
    """Compares losses and gradient norms of consecutive steps.

    The tolerance of a step is a multiple of how far the reference port is from itself by then, when
    it starts at slightly other weights; see `_moved_weights`.
    """
    pairing = state.pairing
    compared = f"{pairing.steps} training steps: losses and gradient norms"
    if not pairing.aligned:
        return Stage("curve", "not seen", RANDOM_ORDER)

    def measurement(view: View, weights: Weights = pairing.weights) -> dict[str, np.ndarray]:
        view.set_weights(weights)
        batches = [view.batch(batch) for batch in pairing.inputs.batches]
        curve = view.ask("curve", batches, pairing.steps)
        return {"loss": curve.losses, "gradient norm": curve.gradient_norms}

    reference, candidate = pairing.measure(measurement)
    if all(same_bits(reference[what], candidate[what]) for what in reference):
        return Stage("curve", "bit", compared)
    moved = [measurement(View(pairing.reference.ask), start) for start in _moved_weights(pairing)]
    found = [
        _judged_steps(what, reference[what], candidate[what], [other[what] for other in moved])
        for what in reference
    ]
    notes = known_differences.curve_notes(pairing, reference["loss"], candidate["loss"])
    different = [steps for steps in found if steps.judgement.verdict == "different"]
    if different:
        first = min(different, key=lambda steps: steps.first)
        difference = difference_of(first.what, first.judgement)
        return Stage("curve", "different", compared, difference, notes=notes)
    worst = max(found, key=lambda steps: steps.judgement.ratio)
    largest = difference_of(worst.what, worst.judgement)
    return Stage("curve", "rounding", compared, largest=largest, notes=notes)


@dataclass(frozen=True)
class _JudgedSteps:
    """The judgement of a curve: of its `first` step beyond the tolerance, or of its worst step."""

    first: int
    what: str
    judgement: Judgement


def _judged_steps(
    what: str, reference: np.ndarray, candidate: np.ndarray, moved: list[np.ndarray]
) -> _JudgedSteps:
    """Judges a curve, [steps]; `moved` are those of the reference from other weights."""
    away = np.max([np.abs(other - reference) for other in moved], axis=0)
    tolerance = multiple(len(reference)) * np.maximum.accumulate(
        np.maximum(
            np.nan_to_num(away, nan=np.inf), np.spacing(np.abs(reference).astype(np.float32))
        )
    )
    error = np.abs(candidate - reference)
    beyond = np.flatnonzero(~(error <= tolerance))
    step = int(
        beyond[0] if len(beyond) else np.argmax(np.nan_to_num(error / tolerance, nan=np.inf))
    )
    judgement = Judgement(
        "different" if len(beyond) else "rounding",
        error[step],
        tolerance[step],
        float(error[step] / np.spacing(np.float32(abs(reference[step])))),
        (reference[step : step + SHOWN].tolist(), candidate[step : step + SHOWN].tolist()),
    )
    return _JudgedSteps(step, f"{what} from step {step + 1} on", judgement)


def _moved_weights(pairing: Pairing) -> list[Weights]:
    """Returns weights at which the reference port differs from itself as two ports may.

    They are moved by one ULP at random; and by what the updates of the ports were found to differ
    after three steps, in its direction and against it, as if every step of the curve added as much.
    """
    generator = np.random.default_rng(0)
    moved = [{name: perturbed(value, generator) for name, value in pairing.weights.items()}]
    if pairing.after_three:
        moved += [
            {
                name: (value + sign * pairing.steps * pairing.after_three.get(name, 0.0)).astype(
                    value.dtype
                )
                for name, value in pairing.weights.items()
            }
            for sign in (1, -1)
        ]
    return moved
