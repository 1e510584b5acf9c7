"""The curve stage: consecutive training steps."""

from __future__ import annotations

import numpy as np

from bench.parity import known_differences
from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import RANDOM_ORDER, Pairing, View
from bench.parity.result import Stage, difference_of
from bench.parity.rounding import Judgement, multiple, nudged, same_bits


def curve_stage(state: ComparisonState) -> Stage:
    """Losses and gradient norms of consecutive steps. The tolerance of a step is a multiple of how far the reference
    port has parted from itself by then, when started at weights moved by one ULP, or by what the ports' updates were found
    to differ if that adds up."""
    pairing = state.pairing
    compared = f"{pairing.steps} training steps: losses and gradient norms"
    if not pairing.aligned:
        return Stage("curve", "not seen", RANDOM_ORDER)

    def measurement(view: View, weights=pairing.weights) -> dict:
        view.set_weights(weights)
        batches = [view.batch(batch) for batch in pairing.inputs.batches]
        curve = view.ask("curve", batches, pairing.steps)
        return {"loss": curve.losses, "gradient norm": curve.gradient_norms}

    reference, candidate = pairing.measure(measurement)
    if all(same_bits(reference[what], candidate[what]) for what in reference):
        return Stage("curve", "bit", compared)
    moved = [measurement(View(pairing.reference.ask), weights) for weights in _parted(pairing)]
    found: list[tuple[int, str, Judgement]] = []
    for what in reference:
        away = np.max([np.abs(other[what] - reference[what]) for other in moved], axis=0)
        tolerance = multiple(pairing.steps) * np.maximum.accumulate(
            np.maximum(
                np.nan_to_num(away, nan=np.inf),
                np.spacing(np.abs(reference[what]).astype(np.float32)),
            )
        )
        error = np.abs(candidate[what] - reference[what])
        step = int(np.argmax(np.nan_to_num(error / tolerance, nan=np.inf)))
        beyond = np.flatnonzero(~(error <= tolerance))
        if len(beyond):
            step = int(beyond[0])
        shown = tuple(
            values[step : step + 4].tolist() for values in (reference[what], candidate[what])
        )
        ulps = float(error[step] / np.spacing(np.float32(abs(reference[what][step]))))
        verdict = "different" if len(beyond) else "rounding"
        found.append(
            (
                step,
                f"{what} from step {step + 1} on",
                Judgement(verdict, error[step], tolerance[step], ulps, shown),
            )
        )
    notes = known_differences.curve_notes(pairing, reference["loss"], candidate["loss"])
    different = sorted(
        (entry for entry in found if entry[2].verdict == "different"), key=lambda entry: entry[0]
    )
    if different:
        return Stage("curve", "different", compared, difference_of(*different[0][1:]), notes=notes)
    return Stage(
        "curve",
        "rounding",
        compared,
        largest=difference_of(*max(found, key=lambda entry: entry[2].ratio)[1:]),
        notes=notes,
    )


def _parted(pairing: Pairing) -> list[dict]:
    """Weights from which the reference port parts from itself as two ports of one network do: moved by what the updates
    were found to differ after three steps, as if every step of the curve added as much, in its direction and against it;
    and by one ULP at random."""
    generator = np.random.default_rng(0)
    moved = [{name: nudged(value, generator) for name, value in pairing.weights.items()}]
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
