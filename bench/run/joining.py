"""Joins the cluster that `TF_CONFIG` describes. A scheduler sets this variable for each of its
processes.

Source: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from bench.durable import write_text
from bench.task import Task, UserError

CLAIM = "training.json"
"""Name of the file beside the checkpoints that says which training they belong to."""

ROLES = ("chief", "worker", "ps")


@dataclass(frozen=True)
class Cluster:
    """`member` is the place of this process, such as `worker 0`. The chief is one of the
    `workers`."""

    member: str
    workers: int
    parameter_servers: int


def read_cluster() -> Cluster | None:
    """Reads `TF_CONFIG`; returns None if it is not set.

    Raises:
        UserError: It is not what TensorFlow expects.
    """
    text = os.environ.get("TF_CONFIG")
    if text is None:
        return None
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        counts = {role: len(cluster.get(role, [])) for role in ROLES}
        role, index, evaluators = str(task["type"]), int(task["index"]), cluster.get("evaluator")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            'TF_CONFIG is not what TensorFlow expects, {"cluster": {"chief": ["HOST:PORT"], '
            f'"worker": [...]}}, "task": {{"type": "worker", "index": 0}}}}: '
            f"{type(error).__name__}: {error}"
        ) from error
    if evaluators or role == "evaluator":
        raise UserError(
            "TF_CONFIG: its cluster has an evaluator, but the chief evaluates here: leave it out"
        )
    if not 0 <= index < counts.get(role, 0):
        raise UserError(
            f"TF_CONFIG: its task is {role} {index}, but its cluster has "
            + ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
        )
    return Cluster(f"{role} {index}", counts["chief"] + counts["worker"], counts["ps"])


def check_roles(cluster: Cluster | None, module: str, parameter_servers: int) -> None:
    """Checks that an implementation can train on this cluster, or without one.

    Raises:
        UserError: The cluster has parameter servers that are not needed, or lacks some.
    """
    if parameter_servers and cluster is None:
        raise UserError(
            f"--profile cluster: {module} trains with a parameter server, so TF_CONFIG must name a "
            "cluster"
        )
    if cluster and bool(parameter_servers) != bool(cluster.parameter_servers):
        raise UserError(
            f"TF_CONFIG: {module} trains "
            + (
                "with a parameter server, and the cluster has no ps"
                if parameter_servers
                else "without parameter servers, and the cluster has ps"
            )
        )


def claim(folder: Path, module: str, task: Task) -> None:
    """Marks the folder of checkpoints as that of this training, or checks the mark. All members
    name the same folder, and so does a command that goes on with the training.

    Raises:
        UserError: The folder holds another training, or something else.
    """
    own = json.dumps(
        {
            "implementation": module,
            "dataset": task.dataset.name,
            "digest": task.dataset.digest,
            "outputs": task.outputs,
            "seed": task.seed,
            "global batch": task.batch_size,
        }
    )
    path = folder / CLAIM
    if not path.exists():
        own_names = (CLAIM, f".{CLAIM}")  # another member may have been quicker, or is about to be
        if not all(entry.name.startswith(own_names) for entry in folder.iterdir()):
            raise UserError(
                f"--model-dir {folder}: holds something else than checkpoints of a cluster"
            )
        write_text(path, own)  # whole or not at all; another member may write the same
    found = path.read_text()
    if found != own:
        raise UserError(f"--model-dir {folder}: holds another training: {found}; this is {own}")
