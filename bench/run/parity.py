"""Before a run measures anything: are its implementations ports of one network?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bench.data.source import Source, Spec
from bench.diagnose.explain import explained
from bench.parity import Setting, compared_spec
from bench.parity.stored import Compared, write_comparison
from bench.run.progress import stage_progress
from bench.task import UserError

STEPS = {"small": 50, "large": 10}
QUICK_STEPS = 5


def compare_implementations(modules: dict[str, str], specs: dict[str, Spec], loss: str, source: Source, quick: bool,
                            folder: Path, console: Console) -> None:
    """Compares every implementation with the first, on every dataset (a quick run: on the first), and stores the answers in
    `folder`."""
    (reference, reference_module), *others = modules.items()
    for dataset, spec in list(specs.items())[:1 if quick else None]:
        setting = Setting(dataset=dataset, spec=compared_spec(spec), loss=loss, source=source,
                          steps=QUICK_STEPS if quick else STEPS[spec.size])
        for name, module in others:
            compared = _compare(Compared(name, reference, dataset, None), reference_module, module, setting, console)
            write_comparison(folder, compared)
            console.print(_line(compared), highlight=False, markup=False, soft_wrap=True)


def _compare(compared: Compared, reference: str, candidate: str, setting: Setting, console: Console) -> Compared:
    try:
        with stage_progress(console) as on_stage:
            parity = explained(reference, candidate, setting, on_stage)
    except UserError as error:
        return Compared(compared.implementation, compared.reference, compared.dataset, None, str(error))
    return Compared(compared.implementation, compared.reference, compared.dataset, parity)


def _line(compared: Compared) -> str:
    head = f"parity   {compared.implementation:10} {compared.dataset:6} against {compared.reference}:"
    if compared.parity is None:
        return f"{head} could not be compared: {compared.error}"
    if compared.parity.same:
        return f"{head} the same network ({compared.parity.seconds:.0f} s)"
    stage, why = compared.parity.first_different, compared.parity.explanations
    cause = f"; cause: {why[0].title}" if why else ""
    return f"{head} NOT the same network, {stage.name}: {stage.difference}{cause}"
