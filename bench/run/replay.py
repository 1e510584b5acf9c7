"""Replays the case that this project began with: the symptom in all three APIs, where its author
looked for the cause, and the cure."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.data.source import Source
from bench.diagnose.diagnose import DiagnosisSetting, diagnose
from bench.diagnose.explain import explain
from bench.diagnose.lines import lines_of
from bench.durable import write_text
from bench.implementations import IMPLEMENTATIONS
from bench.parity import ComparisonSetting, compare
from bench.process.forkserver import with_forkserver
from bench.task import OUTPUTS, UserError
from bench.traps.comparison import on_path
from bench.traps.injection import write_trapped
from bench.traps.trap import gallery

TRAP = "activated_outputs"
DATASETS = ("small", "large")
SAMPLES = 8
"""Number of predictions that are shown beside their labels."""

FILE = "replay.json"


def replay(source: Source, folder: Path, console: Console) -> None:
    """Trains with both kinds of outputs on both datasets in all three APIs, and watches. Compares
    the port of the case with the low-level code. Stores the results in `folder`."""
    trainings, comparisons = [], []
    jobs = [
        (dataset, outputs, name)
        for dataset in DATASETS
        for outputs in reversed(OUTPUTS)
        for name in IMPLEMENTATIONS
    ]
    with (
        tempfile.TemporaryDirectory(prefix="bench-replay-") as scratch,
        on_path(Path(scratch)),
        with_forkserver(),
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=600,
        ) as progress,
    ):
        bar = progress.add_task(
            "", total=sum(_weight(dataset) for dataset, _, _ in jobs) + 3 * len(DATASETS) * 2
        )
        for dataset, outputs, name in jobs:
            progress.update(bar, description=f"training {name}, {outputs}, {dataset}")
            trainings.append(_training(source, dataset, outputs, name))
            progress.advance(bar, _weight(dataset))
        for dataset in DATASETS:
            for name in IMPLEMENTATIONS:
                progress.update(
                    bar, description=f"comparing {name} with the low-level code, {dataset}"
                )
                candidate = write_trapped(gallery()[TRAP], name, Path(scratch))
                parity = compare(
                    "lowlevel",
                    candidate,
                    ComparisonSetting(dataset=dataset, source=source, steps=10),
                    explain=explain,
                )
                found = lines_of(parity.explanations, candidate)
                first = parity.first_different
                comparisons.append(
                    {
                        "dataset": dataset,
                        "implementation": name,
                        "stages": {stage.name: stage.verdict for stage in parity.stages},
                        "difference": "" if first is None else str(first.difference),
                        "explanations": [asdict(entry) for entry in found],
                    }
                )
                progress.advance(bar, 2)
    write_text(
        folder / FILE,
        json.dumps({"source": source.name, "trainings": trainings, "comparisons": comparisons}),
    )


def _weight(dataset: str) -> int:
    return 1 if dataset == "small" else 3


def _training(source: Source, dataset: str, outputs: str, name: str) -> dict:
    diagnosis = diagnose(name, DiagnosisSetting(dataset=dataset, outputs=outputs, source=source))
    ended = diagnosis.final_state
    if ended is None:
        raise UserError(f"the training of {name} with {outputs} on {dataset} left no outputs")
    wrong_first = sorted(range(len(ended.labels)), key=lambda sample: ended.labels[sample])[
        :: max(1, len(ended.labels) // SAMPLES)
    ]
    return {
        "dataset": dataset,
        "outputs": outputs,
        "implementation": name,
        "accuracy": ended.accuracy,
        "final_loss": ended.loss,
        **json.loads(diagnosis.to_json()),
        "evaluation_outputs": ended.outputs.tolist(),
        "labels": ended.labels.tolist(),
        "shown": wrong_first[:SAMPLES],
    }
