"""The verbs that say why something does not train: `diagnose`, `traps`, `replay`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from bench.data.source import DATASETS
from bench.implementations import IMPLEMENTATIONS
from bench.run.data_options import data_options, open_replaced, skip_damaged_option
from bench.run.progress import stage_progress
from bench.task import OUTPUTS, UserError


@click.command("diagnose")
@click.argument("target", metavar="CELL_OR_PORT")
@click.option(
    "--reference",
    metavar="PORT",
    help="A port that trains: the first difference from it is named and explained (as "
    "'parity' does), before anything is trained.",
)
@click.option(
    "--batch",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Features and labels for a port that is a function: an array 'labels', and one for every "
    "feature.  [default: drawn from the shapes that a Keras model declares]",
)
@click.option(
    "--dataset",
    type=click.Choice(list(DATASETS)),
    default="small",
    show_default=True,
    help="What a module with train(task, observer) trains on.",
)
@click.option(
    "--outputs",
    type=click.Choice(list(OUTPUTS)),
    default="logits",
    show_default=True,
    help="What goes into the loss.",
)
@data_options
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of weights and sample order.",
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="  [default: as of 'all']")
@click.option(
    "--steps",
    type=click.IntRange(min=10),
    default=300,
    show_default=True,
    metavar="N",
    help="Training steps of a port that is a function.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw loss, gradient norm, saturation and dead units over the steps.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def diagnose_command(
    target, reference, batch, dataset, outputs, chosen, seed, epochs, steps, picture, as_json
) -> None:
    """Why does it not train? Trains a port and watches it, or reads a finished cell, and names the
    cause.

    CELL_OR_PORT is FOLDER/cells/NAME.json of a result folder; or a program file.py that trains when
    it is run; or a port as for 'parity': a module with train(task, observer), or module:object or
    file.py:object of a function. All but cells are code, which is run. It does not have to be
    edited.

    \b
    python -m bench diagnose my_program.py
    python -m bench diagnose results/cells/keras-default-large-activated-0.json
    python -m bench diagnose impl_keras --dataset large --outputs activated
    python -m bench diagnose my_model.py:make_model --batch batch.npz --picture why.png

    The exit code is 0 if nothing wrong was found, 1 if something was, 2 if it could not be
    examined.
    """
    from bench.diagnose.diagnose import DiagnosisSetting, diagnose
    from bench.parity.remote_port import PortError
    from bench.report.diagnosis import diagnosis_lines, draw_diagnosis
    from bench.run.check import check_tensorflow
    from bench.run.data_options import open_one

    if target.endswith(".json"):
        _diagnose_cell(Path(target), as_json)
    check_tensorflow(needs_estimator=False)
    try:
        source, spec = open_one(chosen, dataset, Console(stderr=True))
        if reference is not None:
            _diagnose_against(reference, target, batch, spec, outputs, source, seed, as_json)
        setting = DiagnosisSetting(batch, dataset, outputs, source, seed, epochs, steps, spec)
        with stage_progress(Console(stderr=True), DIAGNOSIS) as on_stage:
            diagnosis = diagnose(target, setting, on_stage)
    except PortError as error:
        print(error.traceback_text, file=sys.stderr)
        raise
    if picture is not None:
        draw_diagnosis(diagnosis, picture)
    print(
        diagnosis.to_json()
        if as_json
        else f"\n{diagnosis_lines(diagnosis)}\n\n({diagnosis.seconds:.0f} s)"
    )
    sys.exit(1 if diagnosis.explanations or diagnosis.state != "trained" else 0)


DIAGNOSIS = {"loading": 7, "training": 6, "examining": 2}
"""Relative time of the stages of a diagnosis."""


def _diagnose_cell(path: Path, as_json: bool) -> None:
    from bench.diagnose.cells import diagnose_cell
    from bench.diagnose.outputs import state_of
    from bench.report.diagnosis import UNKNOWN, as_lines

    if not path.is_file():
        raise UserError(
            f"there is no file {path}; cells are FOLDER/cells/NAME.json of a result folder"
        )
    record, ended, found = diagnose_cell(path)
    state = state_of(ended)
    if as_json:
        print(
            json.dumps(
                {
                    "cell": record.name,
                    "state": state,
                    "explanations": [asdict(entry) for entry in found],
                },
                indent=1,
            )
        )
    else:
        print(f"{record.name}: {state}, accuracy {ended.accuracy:.3f}, loss {ended.loss:.5g}\n")
        print(
            as_lines(found)
            or ("Nothing wrong was found." if state == "trained" else f"Cause: {UNKNOWN}")
        )
    sys.exit(1 if found or state != "trained" else 0)


def _diagnose_against(reference, target, batch, spec, outputs, source, seed, as_json) -> None:
    from bench.diagnose.explain import explained
    from bench.parity import TIME_SHARES, ComparisonSetting, compared_spec
    from bench.report.parity import as_lines

    setting = ComparisonSetting(
        batch=batch,
        spec=compared_spec(spec),
        outputs=outputs,
        source=source,
        seed=seed,
        first_only=True,
    )
    with stage_progress(Console(stderr=True), TIME_SHARES) as on_stage:
        parity = explained(reference, target, setting, on_stage)
    print(parity.to_json() if as_json else f"\n{as_lines(parity)}")
    sys.exit(0 if parity.same else 1)


@click.command("traps")
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="NAME",
    help="This trap, with its change as a diff. Repeat for several.",
)
@click.option(
    "--impl",
    "implementations",
    multiple=True,
    type=click.Choice(list(IMPLEMENTATIONS)),
    help="  [default: all]",
)
@click.option(
    "--full",
    is_flag=True,
    help="Measure them: compare every trap in every API with its reference, train it alone, and "
    "write the confusion matrix. Everything takes hours; --only, --impl, --dataset and --seeds "
    "choose a part.",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=click.Choice(list(DATASETS)),
    help="With --full.  [default: both]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="With --full.",
)
@click.option(
    "--alone/--not-alone",
    default=True,
    show_default=True,
    help="With --full: also train each without its reference.",
)
@click.option(
    "--clean",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="With --full: also train our sound ports, default and tuned, with N seeds. Nothing wrong "
    "may be found in them.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("results/traps"),
    show_default=True,
    help="Where the rows and the matrix of --full go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def traps_command(
    names, implementations, full, datasets, seeds, alone, clean, out, as_json
) -> None:
    """Show what people get wrong when they port a network.

    The gallery has, of every trap, its change to the code, the stage at which it shows, and its
    cure.

    \b
    python -m bench traps
    python -m bench traps --only activated_outputs
    python -m bench traps --full --dataset small --seeds 1 --not-alone
    """
    from bench.run.check import check_tensorflow, check_writable
    from bench.run.lock import held
    from bench.text_tables import as_text
    from bench.traps.runner import measure_traps
    from bench.traps.tables import (
        WIDTHS,
        as_record,
        described,
        gallery_table,
        measured,
        write_traps,
    )
    from bench.traps.trap import gallery

    traps = gallery()
    unknown = [name for name in names if name not in traps]
    if unknown:
        raise UserError(f"there is no trap {unknown[0]!r}: 'python -m bench traps' lists them")
    chosen = [traps[name] for name in names] if names else list(traps.values())
    if full:
        check_tensorflow(needs_estimator=True)
        check_writable(out)
        with held(out):
            measure_traps(
                chosen,
                implementations or list(IMPLEMENTATIONS),
                datasets or list(DATASETS),
                range(seeds),
                alone,
                clean,
                out,
                Console(),
            )
        print(write_traps(out))
    elif as_json:
        print(json.dumps([as_record(trap, measured()) for trap in chosen], indent=1))
    elif names:
        print("\n\n".join(described(trap, measured()) for trap in chosen))
    else:
        print(as_text(gallery_table(chosen, measured()), "simple_grid", WIDTHS))
        print(
            "\nAccuracy: without the trap and, below, with it; median over APIs and seeds, "
            "[lowest, highest].\n"
            "python -m bench traps --only NAME shows its change, its cure and its source."
        )


@click.command("replay")
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of WFDB records in place of synthetic samples.",
)
@skip_damaged_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("results/replay"),
    show_default=True,
    help="Where the page and its raw measurements go.",
)
def replay_command(records, skip_damaged, out) -> None:
    """Replay the case that this project began with. Writes it as one page, from symptom to cure.

    Takes both datasets and all three APIs, in the stages in which its author looked for the cause:
    the network, the data, the gradients, the predictions. Needs a few minutes.
    """
    from bench.report.replay import write_replay
    from bench.run.check import check_tensorflow, check_writable
    from bench.run.lock import held
    from bench.run.replay import replay

    check_tensorflow(needs_estimator=True)
    check_writable(out)
    console = Console()
    with held(out):
        replay(open_replaced(records, skip_damaged, console), out, console)
    print(f"\n{write_replay(out)}")
