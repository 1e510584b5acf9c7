"""The cluster that `TF_CONFIG` describes, by the field's convention: what a scheduler sets for each of its processes.

Source: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from bench.task import UserError

ROLES = ("chief", "worker", "ps", "evaluator")


@dataclass(frozen=True)
class Cluster:
    """`member` is this process's place, such as `worker 0`; the chief is one of the `workers`."""

    member: str
    workers: int
    parameter_servers: int


def read_cluster() -> Cluster | None:
    """What `TF_CONFIG` says; None if it is not set.

    Raises:
        UserError: it is not what TensorFlow expects.
    """
    text = os.environ.get("TF_CONFIG")
    if text is None:
        return None
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        counts = {role: len(cluster.get(role, [])) for role in ROLES}
        role, index = task["type"], int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError('TF_CONFIG is not what TensorFlow expects, {"cluster": {"chief": ["HOST:PORT"], "worker": [...]}, "task": '
                        f'{{"type": "worker", "index": 0}}}}: {type(error).__name__}: {error}') from error
    if not 0 <= index < counts.get(role, 0):
        raise UserError(f"TF_CONFIG: its task is {role} {index}, but its cluster has "
                        + ", ".join(f"{count} of {name}" for name, count in counts.items() if count))
    return Cluster(f"{role} {index}", counts["chief"] + counts["worker"], counts["ps"])


def check_roles(cluster: Cluster, module: str, parameter_servers: int) -> None:
    """The cluster has what an implementation's own way needs.

    Raises:
        UserError: it has parameter servers without need, or needs some.
    """
    if bool(parameter_servers) != bool(cluster.parameter_servers):
        raise UserError(f"TF_CONFIG: {module} trains " + ("with a parameter server, and the cluster has no ps" if parameter_servers
                                                         else "without parameter servers, and the cluster has ps"))
