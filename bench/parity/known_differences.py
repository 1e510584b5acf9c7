"""Differences between the APIs that are known, have a known size, and are no fault of a port.

- Adam computes 1-β₂ in float32 in TensorFlow's fused kernel (`tf.compat.v1`, Estimator, Keras's
  legacy optimizers), and in float64 in Keras's own optimizer. For β₂ = 0.999 the two differ by
  1.3e-5, relative to each other.
  Source: tensorflow/core/kernels/training_ops.cc, `ApplyAdam`; keras/src/optimizers/adam.py,
  `update_step`.
- Keras's SGD multiplies the learning rate into its momentum; TensorFlow 1's Momentum does not. The
  two are the same as long as the rate does not change.
  Source: https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/SGD and
  https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/MomentumOptimizer.
- Estimator's evaluation `loss` is the mean over batches, in which the samples of a partial last
  batch weigh more. Keras's is the mean over samples.
  Source: tensorflow_estimator/python/estimator/estimator.py, `_verify_and_create_loss_metric`.
- The loss that Keras shows while it trains is the mean over the epoch so far, not the last batch's.
  Source: https://www.tensorflow.org/api_docs/python/tf/keras/Model#fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.parity.pairing import Judged, Pairing, Values
from bench.parity.result import Stage
from bench.parity.rounding import ULP, multiple

ADAM_COMPLEMENT = abs(float(np.float32(1) - np.float32(0.999)) / (1 - 0.999) - 1)
"""Relative error of 1-β₂ in float32: 1.3e-5."""


def adam_allowances(pairing: Pairing, reference: Values) -> dict[str, float]:
    """Returns the size of Adam's known difference in every quantity of the update.

    The sizes are root mean squares. There are none if the optimizers do not have the difference.
    The relative error of 1-β₂ is that of the second moment; half of it is that of the update.
    It is doubled, since later gradients are taken at weights that differ already.
    """
    if not _two_adams(pairing):
        return {}
    allowances = {}
    for key, value in reference.items():
        if value is None or key == "learning rate":
            continue
        name = key.rpartition(", ")[2]
        if name in pairing.weights:
            moved = value.astype(np.float64) - pairing.weights[name]
            allowances[key] = 2 * ADAM_COMPLEMENT * _rms(moved)
        else:
            allowances[key] = 2 * ADAM_COMPLEMENT * _rms(value)
    return allowances


def update_notes(pairing: Pairing, judged: Judged) -> list[str]:
    """Returns a note where the optimizers have Adam's known difference."""
    if _two_adams(pairing) and any(
        judgement.verdict == "rounding" for judgement in judged.judgements.values()
    ):
        return [
            "known difference: one Adam takes 1-β₂ in float32, the other in float64 "
            f"({ADAM_COMPLEMENT:.1e} of the second moment); what differs is no more than that"
        ]
    return []


def explain_momentum(
    pairing: Pairing, judged: Judged, after_change: str
) -> tuple[Judged, list[str]]:
    """Removes judgements after a change of the learning rate that the form of momentum explains.

    Neither port may change its rate in its own schedule. The names of these judgements begin with
    `after_change`. Returns the judgements that are left, and a note if some were removed.
    """
    different = [
        key for key, judgement in judged.judgements.items() if judgement.verdict == "different"
    ]
    optimizers = [view.ask("optimizer") for view in (pairing.reference, pairing.candidate)]
    names = [optimizer.name if optimizer else "" for optimizer in optimizers]
    rates = [answer["learning rate"] for answer in (judged.reference, judged.candidate)]
    if not (
        different
        and all(key.startswith(after_change) for key in different)
        and sorted(names) == ["Momentum", "SGD"]
        and all(rate is not None and np.ptp(rate) == 0 for rate in rates)
    ):
        return judged, []
    kept = {
        key: judgement
        for key, judgement in judged.judgements.items()
        if not key.startswith(after_change)
    }
    return replace(judged, judgements=kept), [
        "known difference: Keras's momentum holds the learning rate, that of TensorFlow 1 does "
        "not; it would show after a change of the rate, and both keep theirs"
    ]


def curve_notes(pairing: Pairing, reference: np.ndarray, candidate: np.ndarray) -> list[str]:
    """Returns a note on the loss that Keras would show for the same curve."""
    kinds = [view.ask("optimizer") for view in (pairing.reference, pairing.candidate)]
    if all(kind is None or kind.fused for kind in kinds):
        return []
    losses = candidate if kinds[1] is not None and not kinds[1].fused else reference
    return [
        f"Keras's fit would show {running_mean(losses)[-1]:.4g}, the mean over the epoch so far, "
        f"for the last step's loss of {losses[-1]:.4g}"
    ]


def running_mean(losses: np.ndarray) -> np.ndarray:
    """Returns what Keras shows after every step of an epoch of equal batches."""
    return np.cumsum(losses) / np.arange(1, len(losses) + 1)


def explain_evaluation_loss(pairing: Pairing, stage: Stage, judged: Judged) -> Stage:
    """Returns the stage as `rounding` if the known difference of the evaluation loss explains it.

    Only `loss` differs then; one port's is the mean over batches, the other's over samples.
    """
    different = [
        key for key, judgement in judged.judgements.items() if judgement.verdict == "different"
    ]
    if different != ["loss"]:
        return stage
    pairing.reference.set_weights(pairing.weights)
    batches = pairing.inputs.evaluation
    losses = [pairing.reference.ask("loss", batch, False, 0).value for batch in batches]
    means = {
        "batches": np.mean(losses),
        "samples": np.average(losses, weights=[len(batch) for batch in batches]),
    }
    kinds = [_nearest(answer["loss"], means) for answer in (judged.reference, judged.candidate)]
    if kinds[0] is None or kinds[1] is None or kinds[0] == kinds[1]:
        return stage
    note = (
        f"known difference: loss is the mean over {kinds[0]} in the reference "
        f"({means[kinds[0]]:.8g}) and over {kinds[1]} in the candidate ({means[kinds[1]]:.8g}); "
        "the last batch is partial"
    )
    return replace(stage, verdict="rounding", difference=None, notes=[*stage.notes, note])


def _nearest(loss: np.ndarray | None, means: dict[str, float]) -> str | None:
    """Returns the kind of mean that a loss is, within rounding, or None."""
    if loss is None:
        return None
    errors = {kind: abs(mean - float(loss)) for kind, mean in means.items()}
    kind = min(means, key=lambda kind: errors[kind])
    return kind if errors[kind] <= 2 * multiple(1) * ULP * abs(means[kind]) else None


def _two_adams(pairing: Pairing) -> bool:
    """Returns whether both use Adam, but only one of them in TensorFlow's fused kernel."""
    reference, candidate = (
        view.ask("optimizer") for view in (pairing.reference, pairing.candidate)
    )
    if reference is None or candidate is None:
        return False
    return reference.name == candidate.name == "Adam" and reference.fused != candidate.fused


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
