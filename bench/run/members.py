"""The processes that train one cell together on a cluster on this machine, each with its
`TF_CONFIG`."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.implementations import CLUSTER
from bench.measure.gpu import Gpus
from bench.measure.recorder import Recorder
from bench.process.reason import one_line
from bench.run.cells import Cell
from bench.run.worker import load, redirect_output, run_cell, task_of
from bench.task import Dataset

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Member:
    """`role` is `chief`, `worker`, or `ps` for a parameter server. `config` is its `TF_CONFIG`, in
    JSON."""

    role: str
    index: int
    config: str

    @property
    def name(self) -> str:
        """The name in messages and files."""
        return self.role if self.role == "chief" else f"{self.role}{self.index}"

    def gpu(self, gpus: list[str]) -> str:
        """Returns the member's own GPU out of `gpus`, as CUDA_VISIBLE_DEVICES, or "-1" for the
        CPU."""
        place = {"chief": 0, "worker": self.index + 1}.get(self.role, len(gpus))
        return gpus[place] if place < len(gpus) else "-1"


def members_of(workers: int, parameter_servers: int) -> list[Member]:
    """Makes a cluster on free ports. The chief comes first; it is a worker, too."""
    roles = [("chief", 1), ("worker", workers - 1), ("ps", parameter_servers)]
    addresses = iter(_free_addresses(workers + parameter_servers))
    cluster = {role: [next(addresses) for _ in range(count)] for role, count in roles if count}
    return [
        Member(
            role, index, json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})
        )
        for role, addresses in cluster.items()
        for index in range(len(addresses))
    ]


def gpus_for(workers: int) -> list[str]:
    """Returns the GPUs that this process may use if there is one for each worker; otherwise none,
    so that all workers train on the same kind of device."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = (
        [str(number) for number in range(Gpus().count)] if visible is None else visible.split(",")
    )
    return gpus if len(gpus) >= workers else []


def parameter_servers(module: str) -> int:
    """Returns how many parameter servers the module `cluster` of an implementation asks for; 0 by
    default."""
    with contextlib.suppress(Exception):  # its processes will say what is wrong
        return getattr(importlib.import_module(f"{module}.cluster"), "PARAMETER_SERVERS", 0)
    return 0


def run_member(
    member: Member,
    cell: Cell,
    dataset: Dataset,
    epochs: int,
    fingerprint: str,
    folder: Path,
    model_dir: Path,
    forked_s: float,
    sender: Connection,
) -> None:
    """Trains as one member of a cluster. The chief measures as in any cell. The others send their
    failures as (name, reason)."""
    os.environ["TF_CONFIG"] = member.config
    os.environ["CUDA_VISIBLE_DEVICES"] = member.gpu(gpus_for(cell.workers))
    if member.role == "chief":
        run_cell(cell, dataset, epochs, fingerprint, folder, forked_s, sender, model_dir)
        return
    task = task_of(cell, dataset, epochs, model_dir)
    try:
        redirect_output(folder / "logs" / f"{cell.name}.{member.name}.log")
        load(cell.module, CLUSTER)(task, Recorder(task))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        sender.send((member.name, one_line(error)))
        os._exit(1)  # see `run_cell`


def _free_addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [f"{HOST}:{one.getsockname()[1]}" for one in sockets]
