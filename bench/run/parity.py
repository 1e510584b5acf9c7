"""Checks, before a run measures anything, whether its implementations are ports of one network."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.data.source import Source, Spec
from bench.diagnose.explain import explained
from bench.parity import TIME_SHARES, ComparisonSetting, compared_spec
from bench.results.comparisons import StoredComparison, write_comparison
from bench.run.progress import stage_progress
from bench.task import UserError

STEPS = {"small": 50, "large": 10}
QUICK_STEPS = 5


def steps_of(spec: Spec, quick: bool) -> int:
    """Returns the number of training steps of a comparison."""
    return QUICK_STEPS if quick else STEPS[spec.size]


def compare_implementations(
    modules: dict[str, str],
    specs: dict[str, Spec],
    fingerprints: dict[tuple[str, str], str],
    kept: Container[tuple[str, str]],
    outputs: str,
    source: Source,
    quick: bool,
    folder: Path,
    console: Console,
) -> None:
    """Compares implementations with the first one, and stores the answers in `folder`.

    Compares each (implementation, dataset) that has a fingerprint and is not `kept` from before.
    """
    reference, reference_module = next(iter(modules.items()))
    for (name, dataset), fingerprint in fingerprints.items():
        if (name, dataset) not in kept:
            spec = specs[dataset]
            setting = ComparisonSetting(
                dataset=dataset,
                spec=compared_spec(spec),
                outputs=outputs,
                source=source,
                steps=steps_of(spec, quick),
            )
            compared = _compare(
                StoredComparison(name, reference, dataset, None, fingerprint=fingerprint),
                reference_module,
                modules[name],
                setting,
                console,
            )
            write_comparison(folder, compared)
            console.print(_line(compared), highlight=False, markup=False, soft_wrap=True)


def _compare(
    compared: StoredComparison,
    reference: str,
    candidate: str,
    setting: ComparisonSetting,
    console: Console,
) -> StoredComparison:
    try:
        with stage_progress(console, TIME_SHARES) as on_stage:
            parity = explained(reference, candidate, setting, on_stage)
    except UserError as error:
        return replace(compared, error=str(error))
    return replace(compared, parity=parity)


def _line(compared: StoredComparison) -> str:
    head = (
        f"parity   {compared.implementation:10} {compared.dataset:6} against {compared.reference}:"
    )
    if compared.parity is None:
        return f"{head} could not be compared: {compared.error}"
    stage, why = compared.parity.first_different, compared.parity.explanations
    if stage is None:
        return f"{head} the same network ({compared.parity.seconds:.0f} s)"
    cause = f"; cause: {why[0].title}" if why else ""
    return f"{head} NOT the same network, {stage.name}: {stage.difference}{cause}"
