"""The whole comparison: two ports in processes of their own, stage after stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from bench.parity.comparison_state import ComparisonState
from bench.parity.inputs import read_inputs
from bench.parity.matching import read_map
from bench.parity.remote_port import RemotePort
from bench.parity.result import Explanation, Parity, Stage
from bench.parity.setting import DEFAULT_SETTING, ComparisonSetting
from bench.parity.stages.registry import LOADING, STAGES
from bench.process.forkserver import with_forkserver

Explain = Callable[[ComparisonState, Stage], list[Explanation]]
"""Returns the causes of a stage's difference, the likeliest first."""


def compare(
    reference: str | RemotePort,
    candidate: str,
    setting: ComparisonSetting = DEFAULT_SETTING,
    on_stage: Callable[[str], None] = lambda name: None,
    explain: Explain = lambda state, stage: [],
) -> Parity:
    """Compares two ports.

    In a script, call this under ``if __name__ == "__main__":``, as everything that starts
    processes.

    Args:
        reference: `module:object`, `file.py:object`, or a module of the implementation contract. It
            may be a port that is open already, and stays open: with the same setting, it serves
            many comparisons faster.
        candidate: named in the same way.
        setting: what both ports are given.
        on_stage: called with the name of every stage before it begins.
        explain: called with the first stage that differs.

    Raises:
        UserError: the ports cannot be compared; the message says which port is why.
        bench.parity.remote_port.PortError: a port raised an exception of its own.
    """
    began = time.monotonic()
    names = read_map(setting.names) if setting.names else {}
    given = read_inputs(setting.batch) if setting.batch else None
    with (
        with_forkserver(),
        _opened(reference, setting) as first,
        RemotePort("candidate", candidate, setting.timeout) as second,
    ):
        on_stage(LOADING)
        with contextlib.closing(ComparisonState(first, second, setting, names, given)) as state:
            stages, explanations = _run(state, on_stage, explain)
        return Parity(
            first.name,
            candidate,
            state.inputs.source,
            stages,
            time.monotonic() - began,
            max(port.peak_rss_mib for port in (first, second)),
            explanations,
        )


def _opened(
    reference: str | RemotePort, setting: ComparisonSetting
) -> contextlib.AbstractContextManager[RemotePort]:
    return (
        contextlib.nullcontext(reference)
        if isinstance(reference, RemotePort)
        else RemotePort("reference", reference, setting.timeout)
    )


def _run(
    state: ComparisonState, on_stage: Callable[[str], None], explain: Explain
) -> tuple[list[Stage], list[Explanation]]:
    """Runs all stages in order. Returns their results, and why the first different one differs."""
    results: list[Stage] = []
    explanations: list[Explanation] = []
    found = False
    for stage in STAGES:
        if stage.needs_match and not state.match.complete:
            results.append(Stage(stage.name, "not seen", "the variables do not match"))
            continue
        on_stage(stage.name)
        results.append(stage.compare(state))
        if results[-1].verdict == "different" and not found:
            found = True
            explanations = explain(state, results[-1])
            if state.setting.first_only:
                break
    return results, explanations
