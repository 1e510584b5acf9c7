"""The page about the replayed case: symptom, search, cause and cure.

It checks the first log against the formula of a frozen loss.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, select_autoescape
from plotly.offline import get_plotlyjs

from bench.durable import write_text
from bench.errors import UserError
from bench.measure.saturation import right, saturated_rows
from bench.report.curve_plots import ZERO
from bench.report.theme import color_of, escaped, figure_html
from bench.results.files import RawFileError, read_json
from bench.results.typed import as_fields
from bench.run.replay import FILE
from bench.text_tables import as_text

LOG = {
    "true_negatives": 0,
    "false_negatives": 0,
    "true_positives": 52,
    "false_positives": 48,
    "loss": 0.79326165,
}
"""The numbers that the first author's evaluation printed after every epoch."""

TRAINING = {
    "dataset": "str",
    "outputs": "str",
    "implementation": "str",
    "state": "str",
    "accuracy": "float",
    "final_loss": "float",
    "explanations": "list",
    "looks": "list",
    "losses": "list[float | None]",
    "evaluation_outputs": "list[list[float]]",
    "labels": "list[int]",
    "shown": "list[int]",
}
LOOK = {"step": "int", "gradient_norm": "float", "saturated": "float"}
COMPARED = {
    "dataset": "str",
    "implementation": "str",
    "stages": "dict[str, str]",
    "explanations": "list",
}
EXPLAINED = {"title": "str", "evidence": "str", "lines": "list[str]"}
"""The fields that are read of a training, a look at it, a comparison and a cause."""

ULP = float(np.spacing(np.float32(LOG["loss"])))


def write_replay(folder: Path) -> str:
    """Writes replay.html from the raw measurements in `folder`, and returns the findings in words.

    Raises:
        UserError: there are no measurements, or they cannot be used.
    """
    replayed = read_replayed(folder / FILE)
    trainings = pd.DataFrame(replayed["trainings"])
    checks = log_checks()
    template = Environment(
        loader=PackageLoader("bench.report", "."), autoescape=select_autoescape(default=True)
    )
    page = template.get_template("replay.html.j2").render(
        source=replayed["source"],
        log=LOG,
        checks=checks,
        right=right(2).value,
        plotlyjs=get_plotlyjs(),
        outcome=as_text(outcome_table(trainings), "html"),
        stages=as_text(stages_table(replayed["comparisons"]), "html"),
        gradients=as_text(gradients_table(trainings), "html"),
        predictions=as_text(predictions_table(trainings), "html"),
        frozen=frozen_texts(trainings),
        comparisons=replayed["comparisons"],
        losses=figure_html(_losses(trainings)),
        norms=figure_html(_norms(trainings)),
    )
    write_text(folder / "replay.html", page)
    texts = (
        [f"the first log: {check}" for check in checks]
        + frozen_texts(trainings)
        + [cause_text(replayed["comparisons"])]
    )
    return "\n".join(f"- {text}" for text in texts) + f"\n\n{folder / 'replay.html'} has the story."


def read_replayed(path: Path) -> dict:
    """Returns what `bench.run.replay` stored.

    Raises:
        UserError: there is no such file.
        RawFileError: it cannot be used.
    """
    try:
        replayed = as_fields(
            {"source": "str", "trainings": "list", "comparisons": "list"}, read_json(path), path
        )
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}: 'python -m bench replay' makes it") from error
    for what, kind in (("trainings", TRAINING), ("comparisons", COMPARED)):
        replayed[what] = [as_fields(kind, one, path) for one in replayed[what]]
        for one in replayed[what]:
            one["explanations"] = [
                as_fields(EXPLAINED, found, path) for found in one["explanations"]
            ]
    for one in replayed["trainings"]:
        one["looks"] = [as_fields(LOOK, look, path) for look in one["looks"]]
        samples = range(len(one["labels"]))
        if (
            len(one["evaluation_outputs"]) != len(samples)
            or not set(one["labels"]) <= {0, 1}
            or not set(one["shown"]) <= set(samples)
            or any(len(outputs) != 2 for outputs in one["evaluation_outputs"])
        ):
            raise RawFileError(path, "has outputs that do not go with its labels")
    if not any(
        (one["dataset"], one["outputs"]) == ("large", "activated") and one["shown"]
        for one in replayed["trainings"]
    ):
        raise RawFileError(path, "lacks the training that freezes")
    return replayed


def log_checks() -> list[str]:
    """Compares the first author's loss with the formula."""
    samples = sum(
        LOG[count]
        for count in ("true_negatives", "false_negatives", "true_positives", "false_positives")
    )
    error = (LOG["false_positives"] + LOG["false_negatives"]) / samples
    expected = right(2).value + error
    agrees = abs(expected - LOG["loss"]) <= ULP
    return [
        f"{samples} samples, error rate {error:.2f}; ln(1+1/e) + {error:.2f} = {expected:.8f}, "
        f"reported {LOG['loss']:.8f}: "
        + (
            f"the same to a unit in the last place of float32 ({ULP:.1e})"
            if agrees
            else "NOT the same"
        )
    ]


def outcome_table(trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns how each training ended."""
    return trainings.assign(
        accuracy=trainings["accuracy"].map("{:.3f}".format),
        loss_=trainings["final_loss"].map("{:.6f}".format),
        cause=[found[0]["title"] if found else "" for found in trainings["explanations"]],
    )[["dataset", "outputs", "implementation", "state", "accuracy", "loss_", "cause"]].rename(
        columns={"loss_": "evaluation loss"}
    )


def stages_table(comparisons: list[dict]) -> pd.DataFrame:
    """Returns the comparisons with the low-level code, stage by stage."""
    return pd.DataFrame(
        [
            {"dataset": one["dataset"], "port": one["implementation"], **one["stages"]}
            for one in comparisons
        ]
    )


def gradients_table(trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns gradient norms and saturation at the first and at the last look."""
    rows = []
    for _, one in trainings.iterrows():
        if one["looks"]:
            first, last = one["looks"][0], one["looks"][-1]
            rows.append(
                {
                    "dataset": one["dataset"],
                    "outputs": one["outputs"],
                    "implementation": one["implementation"],
                    "steps": last["step"],
                    "gradient norm, first": f"{first['gradient_norm']:.3g}",
                    "last": f"{last['gradient_norm']:.3g}",
                    "outputs at 0 or 1, first": f"{first['saturated']:.0%}",
                    "last ": f"{last['saturated']:.0%}",
                }
            )
    return pd.DataFrame(rows)


def predictions_table(trainings: pd.DataFrame) -> pd.DataFrame:
    """Returns some outputs of the frozen port beside their labels."""
    frozen = trainings[
        (trainings["dataset"] == "large") & (trainings["outputs"] == "activated")
    ].iloc[-1]
    return pd.DataFrame(
        [
            {
                "sample": sample,
                "label": frozen["labels"][sample],
                "output 0": f"{frozen['evaluation_outputs'][sample][0]:.6g}",
                "output 1": f"{frozen['evaluation_outputs'][sample][1]:.6g}",
            }
            for sample in frozen["shown"]
        ]
    )


def frozen_texts(trainings: pd.DataFrame) -> list[str]:
    """Compares the frozen losses of this replay with the sum of their rows' constants."""
    texts = []
    for _, one in trainings[
        (trainings["outputs"] == "activated") & (trainings["state"] != "trained")
    ].iterrows():
        rows = saturated_rows(np.array(one["evaluation_outputs"]), np.array(one["labels"]))
        if rows is not None:
            texts.append(
                f"{one['implementation']}, {one['dataset']}: loss {one['final_loss']:.7f}; "
                f"{rows.right} rows at 0.3132617, {rows.wrong} at 1.3132617 and {rows.alike} at "
                f"0.6931472 make {rows.loss:.7f}"
            )
    return texts


def cause_text(comparisons: list[dict]) -> str:
    """Returns what the comparisons with the low-level code found, over APIs and datasets."""
    causes = {
        (one["explanations"][0]["title"] if one["explanations"] else "unknown")
        for one in comparisons
    }
    first = {
        next((stage for stage, verdict in one["stages"].items() if verdict == "different"), "none")
        for one in comparisons
    }
    return (
        f"compared with the low-level code, {len(comparisons)} ports part first at "
        f"{', '.join(sorted(first))}: {'; '.join(sorted(causes))}"
    )


def _losses(trainings: pd.DataFrame) -> go.Figure:
    return _figure(
        trainings,
        lambda one: (list(range(1, len(one["losses"]) + 1)), one["losses"]),
        "loss of the step",
    )


def _norms(trainings: pd.DataFrame) -> go.Figure:
    return _figure(
        trainings,
        lambda one: (
            [look["step"] for look in one["looks"]],
            [max(look["gradient_norm"], ZERO) for look in one["looks"]],
        ),
        "gradient norm (1e-12: exactly 0)",
    )


def _figure(trainings: pd.DataFrame, points, title: str) -> go.Figure:
    figure = go.Figure()
    large = trainings[trainings["dataset"] == "large"]
    colors = color_of(list(dict.fromkeys(large["implementation"])))
    for _, one in large.iterrows():
        x, y = points(one)
        figure.add_scatter(
            x=x,
            y=y,
            name=escaped(f"{one['implementation']}, {one['outputs']}"),
            mode="lines",
            line={
                "color": colors[one["implementation"]],
                "dash": "solid" if one["outputs"] == "logits" else "dash",
            },
        )
    figure.update_layout(
        height=380,
        margin={"l": 55, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.2},
        plot_bgcolor="white",
    )
    figure.update_yaxes(type="log", title=title, gridcolor="#e3e8ee", exponentformat="power")
    figure.update_xaxes(title="step", gridcolor="#e3e8ee")
    return figure
