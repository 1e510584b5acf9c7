"""The update stage: what the optimizers do with equal gradients."""

from __future__ import annotations

import numpy as np

from bench.parity import known_differences
from bench.parity.comparison_state import ComparisonState
from bench.parity.pairing import RANDOM_ORDER, Pairing, Values, View
from bench.parity.port import PortBatch, Weights
from bench.parity.result import Stage

RATE_FACTOR = 0.1
"""The learning rate is multiplied by this, to see what depends on it."""

AFTER_CHANGE = f"after a change of the learning rate to {RATE_FACTOR:g} x"
SCALES = (1e-3, 1e-6)
"""Gradients are multiplied by these: an optimizer's epsilon shows beside small gradients."""


def update_stage(state: ComparisonState) -> Stage:
    """Compares updates of the weights.

    These are weights, moving statistics and slots after steps 1 and 3; weights after a change of
    the learning rate; the learning rate over all steps; and updates by small gradients.
    """
    pairing = state.pairing
    if not pairing.aligned:
        return Stage("update", "not seen", RANDOM_ORDER)
    pairing.reference.set_weights(pairing.weights)
    gradients = pairing.reference.ask("gradients", pairing.inputs.batches[0], 0)
    gradients = {name: value for name, value in gradients.items() if value is not None}
    unseen: list[str] = []
    judged = pairing.judge(
        lambda view: _updates(pairing, view, gradients, unseen),
        lambda reference: known_differences.adam_allowances(pairing, reference),
    )
    for pair in pairing.match.pairs:
        key = f"after step 3, {pair.reference.name}"
        ours, theirs = judged.reference.get(key), judged.candidate.get(key)
        if ours is None or theirs is None:
            continue
        if judged.judgements[key].verdict == "rounding":
            pairing.after_three[pair.reference.name] = theirs.astype(np.float64) - ours
    names = [view.ask("optimizer") for view in (pairing.reference, pairing.candidate)]
    called = " and ".join(
        dict.fromkeys(optimizer.name if optimizer else "unknown" for optimizer in names)
    )
    judged, explained = known_differences.explain_momentum(pairing, judged, AFTER_CHANGE)
    notes = [
        *dict.fromkeys(unseen),
        *_slots_not_compared(pairing),
        *known_differences.update_notes(pairing, judged),
        *explained,
    ]
    return judged.stage(
        "update", f"{called}: steps 1 to 5, a change of the learning rate, small gradients", notes
    )


def _updates(pairing: Pairing, view: View, gradients: Weights, unseen: list[str]) -> Values:
    """Measures all updates of a port. Adds to `unseen` what it cannot show."""
    found: Values = {}
    view.set_weights(pairing.weights)
    rates = view.ask(
        "learning_rates", learning_rate_steps(pairing.steps), view.batch(_nth(pairing, 1))
    )
    found["learning rate"] = rates
    if rates is None and view in (pairing.reference, pairing.candidate):
        unseen.append("learning rate not seen as a function of the step")
    view.set_weights(pairing.weights)
    for number in range(1, 4):
        view.ask("step", view.batch(_nth(pairing, number)), number)
        if number in (1, 3):
            found.update(_state(view, f"after step {number}"))
    counted = view.ask("steps_counted")
    if rates is not None and np.ptp(rates) > 0 and counted is not None:
        found["steps counted, after step 3"] = np.array(float(counted))
    for number in (4, 5):
        view.ask("step", view.batch(_nth(pairing, number)), number, RATE_FACTOR)
    found.update({f"{AFTER_CHANGE}, {name}": value for name, value in view.weights().items()})
    for scale in SCALES:
        view.set_weights(pairing.weights)
        scaled = {name: (value * scale).astype(value.dtype) for name, value in gradients.items()}
        if not view.ask("apply", view.own(scaled), view.batch(_nth(pairing, 1))):
            unseen.append(
                "small gradients not seen: they cannot be given to the update in their place"
            )
            break
        moved = view.weights()
        found.update(
            {
                f"after gradients of {scale:g} of their size, {name}": moved[name]
                for name in scaled
                if name in moved
            }
        )
    return found


def learning_rate_steps(steps: int) -> list[int]:
    """Returns all steps of the curve, and powers of ten up to a million after them."""
    return [*range(steps + 1), *(10**power for power in range(2, 7) if 10**power > steps)]


def _state(view: View, when: str) -> dict[str, np.ndarray]:
    found = {f"{when}, {name}": value for name, value in view.weights().items()}
    for name, slots in view.slots().items():
        found.update(
            {
                f"{when}, slot {place + 1} of {len(slots)} of {name}": value
                for place, (_, value) in enumerate(slots)
            }
        )
    return found


def _slots_not_compared(pairing: Pairing) -> list[str]:
    """Returns a note where the optimizers have different numbers of slots: they do not match."""
    counts = [
        {name: len(slots) for name, slots in view.slots().items()}
        for view in (pairing.reference, pairing.candidate)
    ]
    different = [name for name in counts[0] if counts[0][name] != counts[1].get(name, 0)]
    if not different:
        return []
    numbers = [count.get(different[0], 0) for count in counts]
    return [
        f"slots not seen: {numbers[0]} a variable in the reference, {numbers[1]} in the candidate"
    ]


def _nth(pairing: Pairing, number: int) -> PortBatch:
    batches = pairing.inputs.batches
    return batches[(number - 1) % len(batches)]
