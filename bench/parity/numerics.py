"""The stages of computation, each with the reference's weights copied to the candidate: forward, loss, gradients,
update, curve, metrics."""

from __future__ import annotations

import numpy as np

from bench.parity import known
from bench.parity.matching import align_activations, same_operation
from bench.parity.pairing import Pairing, View
from bench.parity.port import Activation, Batch
from bench.parity.result import Difference, Stage, difference_of
from bench.parity.rounding import Judgement, multiple, nudged, same_bits

FORWARD_MIB = 16
"""The layers of as many samples are compared as fit into this."""

RANDOM_DRAWS = 24
ARITHMETIC = frozenset({"Add", "AddV2", "Mul", "RealDiv", "Select", "SelectV2", "Sub"})
RATE_FACTOR = 0.1
AFTER_CHANGE = f"after a change of the learning rate to {RATE_FACTOR:g} x"
SCALES = (1e-3, 1e-6)


def forward_stage(pairing: Pairing) -> Stage:
    """Every activation in evaluation mode and in training mode."""
    batch = pairing.inputs.batches[0]
    samples = _samples_that_fit(pairing, batch)
    features = {name: value[:samples] for name, value in batch.features.items()}
    stages = [_forward(pairing, features, training) for training in (False, True)]
    different = next((stage for stage in stages if stage.verdict == "different"), None)
    rounded = next((stage for stage in stages if stage.verdict == "rounding"), stages[0])
    worst = different or rounded
    notes = list(dict.fromkeys(note for stage in stages for note in stage.notes))
    return Stage("forward", worst.verdict, worst.compared, worst.difference, worst.largest, notes)


def _forward(pairing: Pairing, features: dict, training: bool) -> Stage:
    mode = "training" if training else "evaluation"

    def measurement(view: View, draw: int = 0) -> dict[str, Activation]:
        view.set_weights(pairing.weights)
        moved = view.batch(_batch(features)).features
        return dict(enumerate(view.ask("forward", moved, training, draw)))

    reference, candidate = pairing.measure(measurement)
    pairs = _aligned(reference, candidate)
    labels = {row: f"{mode} mode, {reference[row].name}" + (
        "" if reference[row].name == candidate[column].name else f" ({candidate[column].name})") for row, column in pairs}

    def values(view: View) -> dict:
        answer = measurement(view)
        if view is pairing.candidate:
            return {labels[row]: answer[column].value.reshape(reference[row].value.shape) for row, column in pairs}
        places = dict(pairs)
        shared = dict(_aligned(reference, answer)) if view is pairing.exact else {row: row for row in reference}
        return {labels[row]: answer[shared[row]].value.reshape(reference[row].value.shape)
                for row in places if row in shared}

    judged = pairing.judge(values)
    compared = f"{len(pairs)} activations of {len(next(iter(features.values())))} samples, both modes"
    notes = _unmatched_notes(reference, candidate, pairs)
    dead = _excused(reference, candidate, pairs, labels, judged.judgements)
    kept = {key: judgement for key, judgement in judged.judgements.items() if key not in dead}
    stage = type(judged)(judged.reference, judged.candidate, kept).stage("forward", compared, notes)
    if stage.verdict == "different" and training and _is_random(pairing, measurement, reference):
        return _statistics(pairing, measurement, pairs, labels, stage)
    if not pairs:
        return Stage("forward", "different", compared, Difference(
            f"{mode} mode: no activation has a partner of its shape", _shapes(reference), _shapes(candidate)), notes=notes)
    return stage


def _aligned(reference: dict[int, Activation], other: dict[int, Activation]) -> list[tuple[int, int]]:
    return align_activations(list(reference.values()), list(other.values()))


def _excused(reference, candidate, pairs, labels, judgements: dict[str, Judgement]) -> set[str]:
    """Different operations of one shape that differ while a later pair agrees: two ways of computing one layer."""
    excused = set()
    agreed_later = False
    for row, column in reversed(pairs):
        different = judgements[labels[row]].verdict == "different"
        if different and agreed_later and not same_operation(reference[row], candidate[column]):
            excused.add(labels[row])
        informative = np.ptp(reference[row].value) > 0
        agreed_later = agreed_later or (not different and informative)
    return excused


def _unmatched_notes(reference, candidate, pairs) -> list[str]:
    alone = [activation.name for row, activation in reference.items() if row not in dict(pairs)]
    others = [activation.name for column, activation in candidate.items() if column not in {column for _, column in pairs}]
    return [f"no partner for {side}'s {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
            for side, names in (("the reference", alone), ("the candidate", others)) if names]


def _is_random(pairing: Pairing, measurement, reference) -> bool:
    again = measurement(pairing.reference, 1)
    return any(not same_bits(reference[row].value, again[row].value) for row in reference)


def _statistics(pairing: Pairing, measurement, pairs, labels, stage: Stage) -> Stage:
    """Random layers whose numbers do not come in the same order: share of zeros, mean and deviation over draws, by
    Welch's test on draws (z above 5)."""
    pairing.aligned = False
    draws = [pairing.measure(lambda view, draw=draw: measurement(view, draw)) for draw in range(1, RANDOM_DRAWS + 1)]
    for row, column in pairs:
        if not (_ends_a_layer(draws[0][0], row) and _ends_a_layer(draws[0][1], column)):
            continue
        for what, statistic in (("share of zeros", lambda x: np.mean(x == 0)), ("mean", np.mean), ("deviation", np.std)):
            first = np.array([statistic(reference[row].value) for reference, _ in draws], np.float64)
            second = np.array([statistic(candidate[column].value) for _, candidate in draws], np.float64)
            error = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / RANDOM_DRAWS)
            if abs(first.mean() - second.mean()) > 5 * error + 1e-5 * abs(first.mean()):
                return Stage("forward", "different", stage.compared, Difference(
                    f"{labels[row]}, {what} over {RANDOM_DRAWS} draws", f"{first.mean():.6g}", f"{second.mean():.6g}"),
                    notes=stage.notes)
    return Stage("forward", "rounding", stage.compared, notes=[
        *stage.notes, f"random layers agree in their statistics over {RANDOM_DRAWS} draws; their numbers come in another "
                      "order, so later stages in training mode cannot be compared"])


def _ends_a_layer(activations: dict[int, Activation], place: int) -> bool:
    """Whether what comes next is more than arithmetic on single values: ports scale before or after they drop."""
    return place + 1 not in activations or activations[place + 1].operation not in ARITHMETIC


def loss_stage(pairing: Pairing) -> Stage:
    """Per-sample losses, regularisation, reduction, and the value that is minimised."""
    batch = pairing.inputs.batches[0]

    def measurement(view: View) -> dict:
        view.set_weights(pairing.weights)
        found = {}
        for mode in ("evaluation", "training") if pairing.aligned else ("evaluation",):
            loss = view.ask("loss", view.batch(batch), mode == "training", 0)
            found[f"per-sample losses, {mode} mode"] = loss.per_sample
            found[f"regularisation, {mode} mode"] = np.array(loss.regularisation)
            found[f"value, {mode} mode"] = np.array(loss.value)
        return found

    judged = pairing.judge(measurement)
    unseen = [f"{side}'s per-sample losses are not seen" for side, answer in
              (("the reference", judged.reference), ("the candidate", judged.candidate))
              if answer["per-sample losses, evaluation mode"] is None]
    reductions = [_reduction(answer) for answer in (judged.reference, judged.candidate)]
    compared = f"{len(batch)} samples, reduced by {reductions[0]}"
    per_sample = judged.judgements.get("per-sample losses, evaluation mode")
    if reductions[0] != reductions[1] and "not seen" not in reductions and per_sample.verdict != "different":
        values = [f"{reduction} = {float(answer['value, evaluation mode']):.8g}"
                  for reduction, answer in zip(reductions, (judged.reference, judged.candidate))]
        return Stage("loss", "different", compared, Difference("reduction", *values), notes=unseen)
    return judged.stage("loss", compared, unseen)


def _reduction(answer: dict) -> str:
    """How the value comes from the per-sample losses, found by trying."""
    per_sample, value = answer["per-sample losses, evaluation mode"], float(answer["value, evaluation mode"])
    if per_sample is None:
        return "not seen"
    rest = value - float(answer["regularisation, evaluation mode"])
    for name, reduced in (("mean over samples", per_sample.mean()), ("sum over samples", per_sample.sum())):
        if np.isclose(rest, reduced, rtol=1e-4, atol=1e-6):
            return name
        if np.isclose(value, reduced, rtol=1e-4, atol=1e-6):
            return f"{name}, regularisation left out"
    return "neither mean nor sum"


def gradients_stage(pairing: Pairing) -> Stage:
    """The derivative of the loss by every trainable variable; None is not the same as zero."""
    batch = pairing.inputs.batches[0]

    def measurement(view: View) -> dict:
        view.set_weights(pairing.weights)
        return view.named(view.ask("gradients", view.batch(batch), 0))

    if not pairing.aligned:
        return Stage("gradients", "not seen", "random layers draw their numbers in another order")
    judged = pairing.judge(measurement)
    compared = f"{len(judged.judgements)} variables"
    for name in judged.reference:
        if name in judged.candidate and (judged.reference[name] is None) != (judged.candidate[name] is None):
            return Stage("gradients", "different", compared, Difference(
                name, *(_norm(answer[name]) for answer in (judged.reference, judged.candidate))))
    silent = all(value is None or not value.any() for value in judged.reference.values())
    return judged.stage("gradients", compared, ["every gradient is exactly 0: the update shows nothing"] if silent else [])


def update_stage(pairing: Pairing) -> Stage:
    """Weights, moving statistics and slots after steps 1 and 3 and after a change of the learning rate; the learning rate
    over all steps; and updates by small gradients."""
    if not pairing.aligned:
        return Stage("update", "not seen", "random layers draw their numbers in another order")
    pairing.reference.set_weights(pairing.weights)
    gradients = pairing.reference.ask("gradients", pairing.inputs.batches[0], 0)
    gradients = {name: value for name, value in gradients.items() if value is not None}
    unseen: list[str] = []
    judged = pairing.judge(lambda view: _updates(pairing, view, gradients, unseen),
                           lambda reference: known.adam_allowances(pairing, reference))
    for pair in pairing.match.pairs:
        key = f"after step 3, {pair.reference.name}"
        if key in judged.judgements and judged.judgements[key].verdict == "rounding":
            pairing.after_three[pair.reference.name] = judged.candidate[key].astype(np.float64) - judged.reference[key]
    names = [view.ask("optimizer") for view in (pairing.reference, pairing.candidate)]
    called = " and ".join(dict.fromkeys(optimizer.name if optimizer else "unknown" for optimizer in names))
    judged, explained = known.explain_momentum(pairing, judged, AFTER_CHANGE)
    notes = list(dict.fromkeys(unseen)) + known.update_notes(pairing, judged) + explained
    return judged.stage("update", f"{called}: steps 1 to 5, a change of the learning rate, small gradients", notes)


def _updates(pairing: Pairing, view: View, gradients: dict, unseen: list[str]) -> dict:
    found: dict[str, np.ndarray | None] = {}
    view.set_weights(pairing.weights)
    rates = view.ask("learning_rates", learning_rate_steps(pairing.steps), view.batch(_nth(pairing, 1)))
    found["learning rate"] = rates
    if rates is None and view in (pairing.reference, pairing.candidate):
        unseen.append("learning rate not seen as a function of the step")
    view.set_weights(pairing.weights)
    for number in range(1, 4):
        view.ask("step", view.batch(_nth(pairing, number)), number)
        if number in (1, 3):
            found.update(_state(view, f"after step {number}"))
    for number in (4, 5):
        view.ask("step", view.batch(_nth(pairing, number)), number, RATE_FACTOR)
    found.update(_state(view, AFTER_CHANGE))
    for scale in SCALES:
        view.set_weights(pairing.weights)
        scaled = {name: (value * scale).astype(value.dtype) for name, value in gradients.items()}
        if not view.ask("apply", view.own(scaled), view.batch(_nth(pairing, 1))):
            unseen.append("small gradients not seen: they cannot be given to the update in their place")
            break
        moved = view.weights()
        found.update({f"after gradients of {scale:g} of their size, {name}": moved[name] for name in scaled if name in moved})
    return found


def learning_rate_steps(steps: int) -> list[int]:
    """All steps of the curve, and powers of ten beyond."""
    return [*range(steps + 1), *(10 ** power for power in range(2, 7) if 10 ** power > steps)]


def _state(view: View, when: str) -> dict[str, np.ndarray]:
    found = {f"{when}, {name}": value for name, value in view.weights().items()}
    for name, slots in view.slots().items():
        found.update({f"{when}, slot {place + 1} of {len(slots)} of {name}": value for place, (_, value) in
                      enumerate(slots)})
    return found


def curve_stage(pairing: Pairing) -> Stage:
    """Losses and gradient norms of consecutive steps. The tolerance of a step is a multiple of how far the reference
    port has parted from itself by then, when started at weights moved by one ULP, or by what the ports' updates were found
    to differ if that adds up."""
    compared = f"{pairing.steps} training steps: losses and gradient norms"
    if not pairing.aligned:
        return Stage("curve", "not seen", "random layers draw their numbers in another order")

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
            np.maximum(np.nan_to_num(away, nan=np.inf), np.spacing(np.abs(reference[what]).astype(np.float32))))
        error = np.abs(candidate[what] - reference[what])
        step = int(np.argmax(np.nan_to_num(error / tolerance, nan=np.inf)))
        beyond = np.flatnonzero(~(error <= tolerance))
        if len(beyond):
            step = int(beyond[0])
        shown = tuple(values[step:step + 4].tolist() for values in (reference[what], candidate[what]))
        ulps = float(error[step] / np.spacing(np.float32(abs(reference[what][step]))))
        verdict = "different" if len(beyond) else "rounding"
        found.append((step, f"{what} from step {step + 1} on", Judgement(verdict, error[step], tolerance[step], ulps, shown)))
    notes = known.curve_notes(pairing, reference["loss"], candidate["loss"])
    different = sorted((entry for entry in found if entry[2].verdict == "different"), key=lambda entry: entry[0])
    if different:
        return Stage("curve", "different", compared, difference_of(*different[0][1:]), notes=notes)
    return Stage("curve", "rounding", compared, largest=difference_of(*max(found, key=lambda entry: entry[2].ratio)[1:]),
                 notes=notes)


def _parted(pairing: Pairing) -> list[dict]:
    """Weights from which the reference port parts from itself as two ports of one network do: moved by what the updates
    were found to differ after three steps, as if every step of the curve added as much, in its direction and against it;
    and by one ULP at random."""
    generator = np.random.default_rng(0)
    moved = [{name: nudged(value, generator) for name, value in pairing.weights.items()}]
    if pairing.after_three:
        moved += [{name: (value + sign * pairing.steps * pairing.after_three.get(name, 0.0)).astype(value.dtype)
                   for name, value in pairing.weights.items()} for sign in (1, -1)]
    return moved


def metrics_stage(pairing: Pairing) -> Stage:
    """The ports' own evaluations, and what their outputs say, over batches of which the last is partial."""
    batches = pairing.inputs.evaluation

    def measurement(view: View) -> dict:
        view.set_weights(pairing.weights)
        given = [view.batch(batch) for batch in batches]
        results = {_metric_name(name): np.float32(value) for name, value in view.ask("evaluate", given).items()}
        return {**{name: np.array(value) for name, value in results.items()}, **_counts(view, given)}

    judged = pairing.judge(measurement)
    sizes = [len(batch) for batch in batches]
    return known.explain_evaluation_loss(
        pairing, judged.stage("metrics", f"{', '.join(judged.judgements)} over batches of {sizes}"), judged)


def evaluations_stage(reference: list[dict], candidate: list[dict], judge) -> Stage:
    """The evaluations that contract modules report of the initial weights."""
    if not reference or not candidate:
        return Stage("metrics", "not seen", "no evaluation was reported")
    judgements = {name: judge(np.array(np.float32(value)), np.array(np.float32(candidate[0][name])))
                  for name, value in reference[0].items()}
    compared = f"the evaluation split: {', '.join(judgements)}"
    different = next((item for item in judgements.items() if item[1].verdict == "different"), None)
    if different:
        return Stage("metrics", "different", compared, difference_of(*different))
    rounded = max((item for item in judgements.items() if item[1].verdict == "rounding"),
                  key=lambda item: item[1].ratio, default=None)
    return Stage("metrics", "rounding" if rounded else "bit", compared, largest=rounded and difference_of(*rounded))


def _counts(view: View, batches) -> dict:
    """Samples of each class taken for each class, where outputs are one a class and labels are whole numbers."""
    if batches[0].labels.dtype.kind not in "iu" or batches[0].labels.ndim != 1:
        return {}
    outputs = [view.ask("forward", batch.features, False, 0)[-1].value for batch in batches]
    labels = np.concatenate([batch.labels for batch in batches])
    if outputs[0].ndim != 2 or outputs[0].shape[1] < 2:
        return {}
    predicted = np.concatenate(outputs).argmax(axis=1)
    size = outputs[0].shape[1]
    table = np.bincount(labels.astype(int).clip(0, size - 1) * size + predicted, minlength=size * size)
    return {"counts of (label, predicted)": table.astype(np.float64)}


def _metric_name(name: str) -> str:
    """Keras's `sparse_categorical_accuracy`, `acc` and v1's `accuracy` are one."""
    return "accuracy" if name in ("acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy") else name


def _nth(pairing: Pairing, number: int):
    batches = pairing.inputs.batches
    return batches[(number - 1) % len(batches)]


def _samples_that_fit(pairing: Pairing, batch) -> int:
    pairing.reference.set_weights(pairing.weights)
    one = {name: value[:1] for name, value in batch.features.items()}
    bytes_each = sum(activation.value.nbytes for activation in pairing.reference.ask("forward", one, False, 0)) or 1
    return int(np.clip(FORWARD_MIB * 2 ** 20 // bytes_each, 2, len(batch)))


def _batch(features: dict):
    return Batch(features, np.zeros(len(next(iter(features.values()))), np.int64))


def _norm(gradient: np.ndarray | None) -> str:
    return "None" if gradient is None else f"norm {np.linalg.norm(gradient.astype(np.float64)):.6g}"


def _shapes(activations: dict[int, Activation]) -> str:
    return ", ".join(f"{activation.name} {list(activation.value.shape)}" for activation in list(activations.values())[:6])
