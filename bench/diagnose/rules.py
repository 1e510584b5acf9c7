"""Without a reference: what is wrong with a training by its own record.

Few rules, each with the source of its threshold; `tests/test_rules.py` has both sides of every one. Those of the first group
are certain in themselves and are said of any training; those of the second are symptoms, and are said only of a training that
did not learn.
"""

from __future__ import annotations

import numpy as np

from bench.diagnose.causes import explanation
from bench.diagnose.order import neighbours, passes_of, runs_of_labels
from bench.diagnose.watched import Watched
from bench.measure.saturation import ALIKE, RIGHT
from bench.parity.result import Explanation

NOT_LEARNT = 0.8
"""Of the entropy of the labels: a loss above it is next to predicting their shares. Frozen trainings measured 1.0 to 1.2,
sound ones below 0.6."""

LEARNT = 0.6
"""Of what can be gained over always predicting one class: sound trainings measured 0.66 (real records, large) to 1."""

NEAR_CHANCE = 0.15
"""Accuracy above always predicting the most frequent class, of which half is not learning: as `bench.report.findings` has it."""

OFFSET = 3.0
"""Mean of the features over their deviation: LeCun et al. 1998, Efficient BackProp, section 4.3, wants 0; ECG counts measured
0.05 with their baseline removed, 9 with it."""

TOO_WIDE = 2.5
"""Deviation of a kernel over He's (2015): Glorot's is 0.7 to 1 of it, a deviation of 1.0 is 2.5 for 16 inputs and more for more."""

NO_GRADIENT = 1e-6
"""Norm below which nothing moves (as `bench.report.findings`; SageMaker Debugger's vanishing gradient has 1e-7)."""

DEAD = 0.95
"""Share of a layer's ReLUs that no sample gets through: SageMaker Debugger's dying ReLU has 0.5 of units at rest."""

ALIKE_OUTPUTS = 1e-3
"""Spread of outputs over samples, relative to their size, below which the network does not look at its input."""

THROWN = 0.3
"""First step's size over its variable's: TheDeepChecker (2022) wants 0.1 at most; Adam at 0.001 measured 0.09 on sound kernels."""

GROWN = 4.0
"""Loss over the smallest of those before: SageMaker Debugger's diverging loss is any growth, single batches scatter by 2."""

HARDLY = 1e-5
"""First step's size over its variable's: TheDeepChecker wants 1e-4 at least; sound ones measured 1e-3 to 9e-2."""

VANISHING = 1e-4
"""First layer's gradient relative to its kernel over the last layer's: AUTOTRAINER (2021) has 1e-3 to 1e-4."""

ONE_CLASS = 0.95

LARGE = 10.0
"""Deviation of features or targets: UMLAUT (2021) warns of inputs outside [-1, 1], LeCun et al. 1998 want a deviation of 1."""

STILL_FALLING = 0.1
"""Of the loss, over the last third of a training: sound trainings that ended measured 0.05 at most in theirs."""

OUT_OF_REACH = 0.05
"""Share of targets that no output can have."""

RANGES = {"Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, np.inf)}
"""Of the outputs of activations."""

SCALED = (0.8, 1.25)
"""Features' deviation over the file's: the first values of 32 samples scatter by less."""


def learnt(watched: Watched) -> bool:
    """Whether its accuracy rose far above that of always predicting one class, or somewhat and its losses fell below what
    knowing the classes' shares gives."""
    if not np.isfinite(watched.last_losses).all():
        return False
    gained = watched.gained
    if watched.regression:
        return gained is not None and gained > 2 * NEAR_CHANCE
    baseline = watched.losses[0] if watched.entropy is None else watched.entropy
    fell = float(watched.last_losses.mean()) < NOT_LEARNT * baseline
    return fell if gained is None else gained > LEARNT or (fell and gained > 2 * NEAR_CHANCE)


def certain(watched: Watched) -> list[Explanation]:
    """What is wrong whether it learnt or not."""
    rules = (_features_not_finite, _order, _partial_batch, _scaled_in_training_only, _offset, _initial_weights, _not_restored,
             classes_of_outputs, _out_of_reach)
    return [found for rule in rules for found in rule(watched)]


def symptoms(watched: Watched) -> list[Explanation]:
    """What a training that did not learn shows; the first is the likeliest."""
    rules = (_not_finite, _thrown, _frozen, _dead, _cut, _grown, _vanishing, _hardly, _one_class, _large, _loss_of_values)
    return [found for rule in rules for found in rule(watched)]


def _features_not_finite(watched: Watched) -> list[Explanation]:
    heads = watched.received.heads
    wrong = float(np.mean(~np.isfinite(heads))) if heads.dtype.kind == "f" else 0.0
    return [explanation("features_not_finite", "data", f"{wrong:.0%} of the features' first values are not finite")] if wrong else []


def _order(watched: Watched) -> list[Explanation]:
    received, given = watched.received, watched.given
    if watched.in_order:
        return []
    first, second = _two_passes(watched) if given is not None else passes_of(received)
    if len(set(first)) <= max(received.sizes):  # a batch is all there is
        return []
    if len(first) < 2 * max(received.sizes) or len(first) != len(second):
        return []
    if first == second and len(set(first)) > len(first) // 2:
        if given is not None and first[:len(given.order)] != given.order:
            return [explanation("input_restarts", "data", f"the second pass has the {len(first)} samples of the first in the same "
                                "order, which is not the file's")]
        return [explanation("not_shuffled", "data", f"both passes have the same {len(first)} samples in the same order")]
    together = neighbours(received)
    if together > 0.9:
        return [explanation("batches_shuffled", "data", f"{together:.0%} of the batches come again with the same samples")]
    runs, expected = runs_of_labels(received)
    if runs < expected:
        return [explanation("buffer_too_small", "data", f"labels change {runs:.0%} of the times from one sample to the next; "
                            f"shuffled they would {expected:.0%} at least")]
    return []


def _two_passes(watched: Watched) -> tuple[list[str], list[str]]:
    """The first two passes over the file, as long as it is or as its batches make it."""
    received, given = watched.received, watched.given
    ends = np.cumsum(received.sizes)
    whole = int(ends[np.searchsorted(ends, given.samples - given.batch_size + 1)]) if ends[-1] >= given.samples else 0
    return received.digests[:whole], received.digests[whole:2 * whole]


def _partial_batch(watched: Watched) -> list[Explanation]:
    given, sizes = watched.given, watched.received.sizes
    if given is None or given.samples % given.batch_size == 0 or len(sizes) * given.batch_size < given.samples:
        return []
    if set(sizes) == {given.batch_size}:
        return [explanation("partial_batch_dropped", "data", f"every batch has {given.batch_size} samples, and {given.samples} are no "
                            "multiple of that")]
    return []


def scale_of(watched: Watched) -> float | None:
    """Deviation of the features received over that of the file's; None if the file is not known."""
    if watched.given is None or not np.isfinite(watched.received.heads).all():
        return None
    ours = watched.received.heads.astype(np.float64)
    return float(ours.std() / watched.given.heads.std())


def _scaled_in_training_only(watched: Watched) -> list[Explanation]:
    scale = scale_of(watched)
    if scale is None or watched.evaluated is None or SCALED[0] < scale < SCALED[1]:
        return []
    reported, unscaled, scaled = watched.evaluated
    if np.isclose(reported, unscaled, rtol=1e-3) and not np.isclose(reported, scaled, rtol=1e-3):
        return [explanation("scaled_in_training_only", "data", f"it trains on features {scale:.4g} times those of the file; the loss "
                            f"it reports of its evaluation, {reported:.5g}, is that of unscaled features (scaled: {scaled:.5g})")]
    return []


def _offset(watched: Watched) -> list[Explanation]:
    heads = watched.received.heads.astype(np.float64)
    if heads.size and np.isfinite(heads).all() and heads.std() > 0 and abs(heads.mean()) > OFFSET * heads.std() and heads.std() > 1:
        return [explanation("features_shifted", "data", f"features have a mean of {heads.mean():.4g} and a deviation of "
                            f"{heads.std():.4g}")]
    return []


def _initial_weights(watched: Watched) -> list[Explanation]:
    kernels = [kernel for kernel in watched.kernels if kernel.trainable and len(kernel.shape) > 1]
    constant = [kernel.name for kernel in kernels if kernel.constant and kernel.shape[-1] > 1]
    if constant:
        return [explanation("constant_initialiser", "initial weights", f"all values of {', '.join(constant)} are alike")]
    ratios = {kernel.name: kernel.deviation / kernel.he_deviation for kernel in kernels}
    wide = {name: ratio for name, ratio in ratios.items() if ratio > TOO_WIDE}
    if wide and len(wide) >= len(kernels) / 2:
        return [explanation("initialiser_too_wide", "initial weights", "deviations over He's: " + ", ".join(
            f"{name} {ratio:.3g}" for name, ratio in wide.items()))]
    return []


def _not_restored(watched: Watched) -> list[Explanation]:
    """Of weights that were given, some arrived and some did not."""
    kernels = watched.given.kernels if watched.given else {}
    missing = [name for name, began in kernels.items() if not began]
    if missing and len(missing) < len(kernels):
        return [explanation("not_restored", "initial weights", f"{', '.join(missing)} did not begin with the weights given; the other "
                            f"{len(kernels) - len(missing)} kernels did")]
    return []


def _thrown(watched: Watched) -> list[Explanation]:
    steps = {kernel.name: kernel.step for kernel in watched.kernels if kernel.trainable and len(kernel.shape) > 1}
    if steps and np.median(list(steps.values())) > THROWN:
        return [explanation("rate_too_high", "update", "the first step is, relative to the variable, " + ", ".join(
            f"{name} {step:.2g}" for name, step in steps.items()))]
    return []


def _frozen(watched: Watched) -> list[Explanation]:
    last = watched.looks[-1] if watched.looks else None
    if last is None or last.gradient_norm > NO_GRADIENT or not last.outputs.size:
        return []
    if last.saturated > 0.99:
        return [explanation("activated_outputs", "loss", f"every output is 0 or 1, the gradient is {last.gradient_norm:.1g}, and the "
                            f"loss stays at {watched.last_losses.mean():.6g} (ln(1+1/e) = {RIGHT:.4f} + error rate, or ln 2 = "
                            f"{ALIKE:.4f} where both outputs are alike)")]
    return []


def _dead(watched: Watched) -> list[Explanation]:
    last = watched.looks[-1] if watched.looks else None
    layers = {name: share for name, share in (last.dead if last else {}).items() if share >= DEAD}
    if not layers or not np.isfinite(last.outputs).all():
        return []
    spread = _spread(last.outputs)
    return [explanation("dead_relus", "gradients", ", ".join(f"{share:.0%} of the units of {name} are 0 for every sample"
                                                            for name, share in layers.items())
                        + f"; outputs differ by {spread:.2g} of their size from sample to sample, "
                        f"and the gradient's norm is {last.gradient_norm:.2g}")]


def _spread(outputs: np.ndarray) -> float:
    size = float(np.abs(outputs).max()) if outputs.size else 0.0
    return float(np.ptp(outputs, axis=0).max() / size) if size else 0.0


def _cut(watched: Watched) -> list[Explanation]:
    trained = [kernel for kernel in watched.kernels if kernel.trainable]
    still = [kernel.name for kernel in trained if kernel.moved == 0]
    if still and watched.looks:
        norms = watched.looks[0].gradient_norms
        cut = [name for name in still if norms.get(name, 0.0) == 0]
        if cut:
            return [explanation("gradient_cut", "gradients", f"the gradient of {', '.join(cut)} is 0 from the start, and nothing of it "
                                "moves")]
    return []


def _not_finite(watched: Watched) -> list[Explanation]:
    return loss_not_finite(watched.losses, takes_logarithms=watched.takes in ("", "probabilities"))


def loss_not_finite(losses: np.ndarray, takes_logarithms: bool = True) -> list[Explanation]:
    """What ended losses that are not finite any more: a rate too high, if they had grown before or no logarithm of outputs is
    taken, or else a logarithm of 0."""
    wrong = np.flatnonzero(~np.isfinite(losses))
    if not len(wrong):
        return []
    before = losses[:wrong[0]]
    text = f"the loss is {losses[wrong[0]]} from step {wrong[0] + 1} on"
    if not len(before):
        return [explanation("log_of_zero", "loss", text)]
    grown = before[-1] > GROWN * np.median(before[:-1]) if len(before) > 1 else False
    return [explanation("rate_too_high" if grown or not takes_logarithms else "log_of_zero", "curve", f"{text}, after {before[-1]:.4g}")]


def _grown(watched: Watched) -> list[Explanation]:
    losses = watched.losses
    if len(losses) < 10 or not np.isfinite(losses).all():
        return []
    window = np.convolve(losses, np.ones(5) / 5, "valid")
    growth = float(window[-1] / np.minimum.accumulate(window)[-1]) if window.min() > 0 else 1.0
    if growth > GROWN:
        return [explanation("rate_too_high", "curve", f"the loss ends at {growth:.3g} times its smallest (means over 5 steps)")]
    return []


def _hardly(watched: Watched) -> list[Explanation]:
    steps = {kernel.name: kernel.step for kernel in watched.kernels if kernel.trainable and len(kernel.shape) > 1}
    moving = [step for step in steps.values() if step > 0]
    if moving and np.median(moving) < HARDLY:
        return [explanation("rate_too_low", "update", f"a step moves a variable by {np.median(moving):.2g} of itself")]
    return []


def _vanishing(watched: Watched) -> list[Explanation]:
    if not watched.looks:
        return []
    last = watched.looks[-1]
    relative = [last.gradient_norms[kernel.name] / max(last.weight_norms[kernel.name], 1e-30) for kernel in watched.kernels
                if kernel.trainable and len(kernel.shape) > 1 and kernel.name in last.gradient_norms]
    if len(relative) > 2 and relative[-1] > 0 and relative[0] < VANISHING * relative[-1]:
        return [explanation("vanishing_gradient", "gradients", f"the first kernel's gradient, relative to the kernel, is "
                            f"{relative[0] / relative[-1]:.2g} of the last one's")]
    return []


def _one_class(watched: Watched) -> list[Explanation]:
    if watched.chance > ONE_CLASS:
        return [explanation("classes_unbalanced", "data", f"{watched.chance:.0%} of the labels are of one class")]
    return []


def classes_of_outputs(watched: Watched) -> list[Explanation]:
    """Outputs that cannot name all classes."""
    if watched.outputs is None or watched.labels is None or watched.regression:
        return []
    columns, labels = watched.outputs.shape[1], watched.labels.reshape(len(watched.labels), -1)
    if columns == 1 and watched.activation == "Softmax":
        return [explanation("classes_of_outputs", "forward", "a softmax over a single output is always 1")]
    if labels.shape[1] > 1:
        return []
    classes, largest = len(np.unique(labels)), int(labels.max())
    if columns == 1 and watched.takes in ("logits", "probabilities") and (classes > 2 or labels.min() < 0 or largest > 1):
        return [explanation("classes_of_outputs", "forward", f"labels go from {labels.min():.0f} to {largest} in {classes} classes; the "
                            "loss of a single output knows 0 and 1")]
    if columns > 1 and largest >= columns:
        return [explanation("classes_of_outputs", "forward", f"labels go up to {largest}; {columns} outputs are for 0 to {columns - 1}")]
    return []


def _out_of_reach(watched: Watched) -> list[Explanation]:
    """Targets that the last activation cannot give."""
    if watched.takes != "values" or watched.activation not in RANGES or not watched.regression:
        return []
    lowest, highest = RANGES[watched.activation]
    outside = float(np.mean((watched.targets < lowest) | (watched.targets > highest)))
    if outside <= OUT_OF_REACH:
        return []
    return [explanation("out_of_reach", "forward", f"{outside:.0%} of the targets ({watched.targets.min():.4g} to "
                        f"{watched.targets.max():.4g}) lie outside what {watched.activation} can give, {lowest:g} to {highest:g}")]


def _large(watched: Watched) -> list[Explanation]:
    heads = watched.received.heads.astype(np.float64)
    if heads.size and np.isfinite(heads).all() and heads.std() > LARGE:
        return [explanation("inputs_too_large", "data", f"features have a deviation of {heads.std():.4g}")]
    if watched.regression and watched.targets.std() > LARGE:
        return [explanation("targets_too_large", "data", f"targets have a deviation of {watched.targets.std():.4g}")]
    return []


def _loss_of_values(watched: Watched) -> list[Explanation]:
    if watched.takes == "values" and not watched.regression and watched.outputs is not None and watched.labels is not None:
        return [explanation("loss_of_values", "loss", "the loss is that of a regression; its labels are "
                            f"{len(np.unique(watched.labels))} whole numbers")]
    return []


def too_short(watched: Watched) -> list[Explanation]:
    """What may be said where nothing else is: its loss falls to the very end."""
    thirds = np.array_split(watched.losses, 3)
    if len(watched.losses) < 9 or not np.isfinite(watched.losses).all():
        return []
    middle, last = (float(np.mean(third)) for third in thirds[1:])
    if middle > 0 and (middle - last) / middle > STILL_FALLING:
        return [explanation("too_short", "curve", f"the loss is still falling: {middle:.4g} over the middle third of the steps, {last:.4g} "
                            "over the last")]
    return []
