"""Clusters of real processes: their results, what ends them, how a member joins, and the report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from conftest import ROOT, run_module
from test_report import frames, write_measured

from bench.measure.scaling import Link, bytes_per_step, exchange_s, expected_efficiency
from bench.process.forkserver import CONTEXT, with_forkserver
from bench.process.group import Group
from bench.report.cost_plots import scaling_plot
from bench.report.curve_plots import curve_plots
from bench.report.scaling import expected_table, scaling_frame, scaling_table
from bench.results.cells import cell_names, read_cell, write_cell
from bench.results.steps import read_steps
from bench.run import cluster_cell
from bench.run.cells import Cell, cluster_cells
from bench.run.joining import Cluster, check_roles, claim, read_cluster
from bench.run.limits import Limiter, Limits, ProcessEnded
from bench.run.members import gpus_for, members_of
from bench.task import Task, UserError

PARAMETERS = 12_786


@pytest.fixture(scope="module")
def quick_cluster(tmp_path_factory):
    """(folder, process) of `python -m bench cluster --workers 2 --quick`."""
    folder = tmp_path_factory.mktemp("cluster")
    return folder, run_module("bench", "cluster", "--workers", 2, "--quick", "--out", folder)


def test_all_three_train_on_a_cluster_of_two(quick_cluster):
    folder, process = quick_cluster
    assert process.returncode == 0, process.stdout + process.stderr
    results = (
        pd.read_csv(folder / "results.csv").set_index(["implementation", "workers"]).sort_index()
    )
    assert list(results.index) == [
        (name, workers) for name in ("estimator", "keras", "lowlevel") for workers in (1, 2)
    ]
    assert (results["status"] == "ok").all()
    assert (results["parameters"] == PARAMETERS).all()
    assert results["global_batch"].tolist() == [32, 64] * 3
    assert results["global_step"].tolist() == [30, 15] * 3
    assert results["bytes_per_step"].tolist() == [0, 8 * PARAMETERS] * 2 + [
        8 * PARAMETERS,
        16 * PARAMETERS,
    ]
    assert (results.xs(1, level="workers")["scaling_efficiency"] == 1).all()
    assert (results.xs(2, level="workers")["scaling_efficiency"] > 0).all()
    assert "How does it scale?" in process.stdout
    assert "What is expected of more workers?" in (folder / "results.md").read_text()


@pytest.mark.slow
def test_one_worker_trains_as_without_a_cluster(quick_cluster):
    """Checks that weights, batches and updates are the same, apart from the rounding of sums."""
    folder, _ = quick_cluster
    alone = folder / "alone"
    process = run_module(
        "bench",
        "run",
        "--quick",
        "--profile",
        "default",
        "--dataset",
        "small",
        "--outputs",
        "logits",
        "--out",
        alone,
    )
    assert process.returncode == 0, process.stderr
    for name in ("lowlevel", "estimator", "keras"):
        losses = [
            read_steps(place, f"{name}-{profile}-small-logits-0")["loss"]
            for place, profile in ((alone, "default"), (folder, "cluster1"))
        ]
        assert np.allclose(*losses, rtol=2e-3), name
        assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)


@pytest.mark.slow
def test_a_second_run_keeps_what_is_there(quick_cluster):
    folder, _ = quick_cluster
    process = run_module("bench", "cluster", "--workers", 2, "--quick", "--out", folder)
    assert process.returncode == 0
    assert "kept 6 of 6 cells" in process.stdout


CHIEF = """
import os
import time
from pathlib import Path
from bench.task import Evaluation, Probe, Trained
import numpy as np

def train(task, observer):
    Path(__file__).with_name(f"{{os.getpid()}}.pid").touch()
    {chief}
    if '"type": "chief"' not in os.environ["TF_CONFIG"]:
        {worker}
        return None
    labels = (task.dataset.probe.labels, task.dataset.evaluation_labels)
    outputs = [np.zeros((len(found), 2), np.float32) for found in labels]
    observer.begin()
    for epoch in range(task.epochs):
        for step in range(task.steps_per_epoch):
            time.sleep(0.02)
            observer.step(0.5)
        steps = task.steps_per_epoch * (epoch + 1)
        observer.evaluation(Evaluation(steps, 0.5, 0.5, 50, 0, 50, 0), Probe(0.1, outputs[0]))
    return Trained(outputs[1], 10)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch, tiny_dataset):
    """Returns a function that runs a cell of a toy on two workers.

    The toy keeps the contract and needs no TensorFlow; the tests fill in what its members do.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def run(chief="pass", worker="pass", seconds=60.0):
        package = tmp_path / f"toy{len(list(tmp_path.glob('toy*')))}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "cluster.py").write_text(CHIEF.format(chief=chief, worker=worker))
        cell = Cell("toy", package.name, "cluster2", "small", "logits", 0, workers=2, batch_size=64)
        with with_forkserver():
            return cluster_cell.run_on_cluster(
                cell,
                tiny_dataset,
                2,
                "fingerprint",
                tmp_path / "out",
                Limits(seconds),
                lambda: None,
            )

    yield run
    members = [int(path.stem) for path in tmp_path.glob("toy*/*.pid")]
    assert members
    assert not any(map(psutil.pid_exists, members))


def test_a_sound_toy_is_ok(toy):
    record = toy()
    assert (record.status, record.workers, record.batch_size, len(record.evaluations)) == (
        "ok",
        2,
        64,
        2,
    )


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "worker0: its process was killed by SIGKILL"),
        ("raise ValueError('another version')", "worker0: ValueError: another version"),
        ("os._exit(3)", "worker0: its process ended with exit code 3"),
    ],
)
def test_a_member_that_fails_ends_all_with_a_row_that_names_it(toy, worker, reason):
    record = toy(
        worker=worker,
        chief="time.sleep(0 if 'worker' in os.environ['TF_CONFIG'].split('task')[1] else 1000)",
    )
    assert (record.status, record.evaluations) == ("failed", [])
    assert record.reason.startswith(reason)


def test_a_chief_that_fails_is_the_reason(toy):
    record = toy(chief="raise ValueError('no')", worker="time.sleep(1000)")
    assert record.status == "failed"
    assert record.reason.endswith("ValueError: no")


def test_a_cluster_that_hangs_is_ended(toy):
    record = toy(chief="time.sleep(1000)", seconds=2.0)
    assert record.status == "timeout"
    assert "longer than 2 s" in record.reason


def test_a_worker_that_does_not_end_after_the_chief_is_named(toy, monkeypatch):
    monkeypatch.setattr(cluster_cell, "GRACE_S", 1.0)
    record = toy(worker="time.sleep(1000)")
    assert record.status == "failed"
    assert record.reason == "worker0: did not end within 1 s of the chief"


def test_ctrl_c_while_members_are_being_started_leaves_a_row_and_no_process(
    toy, monkeypatch, tmp_path
):
    def interrupted(*counts):
        yield members_of(*counts)[0]
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("toy*/*.pid")):  # The chief trains now.
            assert time.monotonic() < deadline
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster_cell, "members_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        toy(chief="time.sleep(1000)")
    (record,) = (read_cell(tmp_path / "out", name) for name in cell_names(tmp_path / "out"))
    assert (record.status, record.reason, record.workers) == ("interrupted", "Ctrl-C", 2)


def test_members_know_each_other_and_themselves():
    members = members_of(3, 1)
    assert [member.name for member in members] == ["chief", "worker0", "worker1", "ps0"]
    configs = [json.loads(member.config) for member in members]
    assert all(config["cluster"] == configs[0]["cluster"] for config in configs)
    assert [config["task"] for config in configs] == [
        {"type": role, "index": index}
        for role, index in (("chief", 0), ("worker", 0), ("worker", 1), ("ps", 0))
    ]
    addresses = [address for role in configs[0]["cluster"].values() for address in role]
    assert len(set(addresses)) == 4
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert "ps" not in json.loads(members_of(1, 0)[0].config)["cluster"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("4,5,7", ["4", "5", "7", "-1"]),
        ("4,5", ["-1"] * 4),
        ("-1", ["-1"] * 4),
        ("", ["-1"] * 4),
        ("0,1,2,3", ["0", "1", "2", "-1"]),
    ],
)
def test_every_worker_has_a_gpu_of_those_it_may_use_or_none_has(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [member.gpu(gpus_for(3)) for member in members_of(3, 1)] == expected


def test_who_ended_another_is_the_reason_even_if_both_have_ended_before_it_is_looked():
    with with_forkserver(), Group(time.sleep, 0) as chief, Group(os._exit, 3) as worker:
        for group in (chief, worker):
            assert wait([group.sentinel], 60)
        receiver, _sender = CONTEXT.Pipe(duplex=False)
        limiter = Limiter(chief, Limits(60), {"worker0": worker})
        with pytest.raises(ProcessEnded) as ended:
            limiter.hear(receiver, time.monotonic())
    assert ended.value.who == "worker0"
    assert "exit code 3" in ended.value.reason


def test_sizes_and_implementations_take_turns_at_running_first():
    cells = cluster_cells(
        {"a": "a", "b": "b"}, {"a": 0, "b": 1}, ["small"], "logits", range(4), [1, 2], None
    )
    assert len({cell.name for cell in cells}) == 16
    assert {(cell.implementation, cell.workers) for cell in cells[::4]} == {
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    }
    assert {(cell.workers, cell.batch_size) for cell in cells} == {(1, 32), (2, 64)}
    assert {
        cell.batch_size
        for cell in cluster_cells({"a": "a"}, {"a": 0}, ["small"], "logits", [0], [1, 2], 48)
    } == {48}


CONFIG = {
    "cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]},
    "task": {"type": "worker", "index": 1},
}


def test_a_cluster_is_read_from_the_environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert read_cluster() is None
    monkeypatch.setenv("TF_CONFIG", json.dumps(CONFIG))
    assert read_cluster() == Cluster("worker 1", 3, 1)
    check_roles(read_cluster(), "impl_lowlevel", 1)
    with pytest.raises(UserError, match="without parameter servers, and the cluster has ps"):
        check_roles(read_cluster(), "impl_keras", 0)
    with pytest.raises(UserError, match="the cluster has no ps"):
        check_roles(Cluster("chief 0", 2, 0), "impl_lowlevel", 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        (json.dumps({**CONFIG, "task": {}}), "KeyError: 'type'"),
        (
            json.dumps({**CONFIG, "task": {"type": "worker", "index": 2}}),
            "its task is worker 2, but its cluster has 1 of chief, 2 of worker",
        ),
        (json.dumps({**CONFIG, "task": {"type": "cook", "index": 0}}), "its task is cook 0"),
        (json.dumps({**CONFIG, "task": {"type": [], "index": 0}}), "its task is [] 0"),
        (
            json.dumps({**CONFIG, "task": {"type": "evaluator", "index": 0}}),
            "but the chief evaluates here",
        ),
    ],
)
def test_a_bad_tf_config_is_one_line(config, message):
    process = run_module("impl_keras", env={**os.environ, "TF_CONFIG": config})
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--model-dir: a cluster needs a folder"),
        (("--profile", "tuned"), "TF_CONFIG is set"),
        (("--model-dir", "m", "--tensorboard"), "the cluster profile writes no summaries"),
    ],
)
def test_options_that_do_not_go_with_a_cluster_are_one_line(arguments, message):
    process = run_module(
        "impl_keras", *arguments, env={**os.environ, "TF_CONFIG": json.dumps(CONFIG)}
    )
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


def test_sessions_need_a_cluster_to_be_one(tmp_path):
    process = run_module("impl_lowlevel", "--profile", "cluster", "--model-dir", tmp_path / "m")
    assert process.returncode == 2
    assert "so TF_CONFIG must name a cluster" in process.stderr
    assert process.stderr.count("\n") == 1


def start_members(folder, *arguments):
    """Starts a chief and a worker, each as `python -m impl_keras` with its own TF_CONFIG."""
    config = json.loads(members_of(2, 0)[0].config)
    return [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "impl_keras",
                "--model-dir",
                folder,
                "--samples",
                "640",
                *arguments,
            ],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "TF_CONFIG": json.dumps({**config, "task": {"type": role, "index": 0}}),
            },
        )
        for role in ("chief", "worker")
    ]


@pytest.mark.slow
def test_members_that_lose_one_end_with_a_line_and_go_on_when_started_again(tmp_path):
    chief, worker = start_members(tmp_path / "model", "--epochs", "200")
    told = next(line for line in chief.stdout if line.startswith("epoch 3: "))
    worker.kill()
    stdout, stderr = chief.communicate(timeout=120)
    assert chief.returncode == 1
    assert "'global_step': 30" in told
    assert "epoch 200: " not in stdout
    said = stderr.splitlines()[-1]  # TensorFlow's own lines come before.
    assert said.startswith("error: the cluster failed (UnavailableError: ")
    assert "Traceback" not in stderr
    assert said.endswith(
        f"; start all members again to go on from the last checkpoint in {tmp_path / 'model'}"
    )
    worker.communicate()
    members = start_members(tmp_path / "model", "--epochs", "20")
    outputs = [member.communicate(timeout=120) for member in members]
    assert [member.returncode for member in members] == [0, 0], outputs
    epochs = [
        int(line.split()[1][:-1])
        for line in outputs[0][0].splitlines()
        if line.startswith("epoch ")
    ]
    assert epochs[0] > 3
    assert epochs == list(range(epochs[0], 21))
    assert not [
        line for line in outputs[1][0].splitlines() if line.startswith("epoch ")
    ]  # Only the chief evaluates.


def test_a_folder_of_checkpoints_is_one_trainings(tmp_path, tiny_dataset):
    task = Task(tiny_dataset, "logits", 0, 2, tmp_path, batch_size=64)
    claim(tmp_path, "impl_keras", task)
    (tmp_path / "checkpoint").touch()
    claim(tmp_path, "impl_keras", task)  # This is another member, or the same training again.
    for other in (
        replace(task, seed=1),
        replace(task, batch_size=32),
        replace(task, outputs="activated"),
    ):
        with pytest.raises(UserError, match="holds another training"):
            claim(tmp_path, "impl_keras", other)
    (tmp_path / "training.json").unlink()
    with pytest.raises(UserError, match="holds something else"):
        claim(tmp_path, "impl_keras", task)


def test_members_that_claim_a_folder_at_once_all_have_it(tmp_path, tiny_dataset):
    task = Task(tiny_dataset, "logits", 0, 2, tmp_path)
    with ThreadPoolExecutor(8) as members:
        for number in range(200):
            folder = tmp_path / str(number)
            folder.mkdir()
            list(members.map(claim, [folder] * 8, ["impl_keras"] * 8, [task] * 8))


def test_an_implementation_without_a_cluster_of_its_own_is_refused(tmp_path):
    (tmp_path / "plain.py").write_text("def train(task, observer):\n    pass\n")
    process = run_module(
        "bench",
        "cluster",
        "--impl",
        "plain",
        "--out",
        tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.returncode == 2
    assert "'plain' has no module 'cluster'" in process.stderr


SRUN = """#!{python}
import os, subprocess, sys
environments = [{{**os.environ, "SLURM_PROCID": str(place)}} for place in range(2)]
tasks = [subprocess.Popen(sys.argv[2:], env=environment) for environment in environments]
sys.exit(max(task.wait() for task in tasks))
"""


@pytest.mark.slow
def test_the_slurm_script_trains_with_stand_ins_for_srun_and_scontrol(tmp_path):
    """Uses stand-ins that list this machine as two hosts and start both tasks here."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text("#!/bin/sh\necho 127.0.0.1\necho 127.0.0.1\n")
    (tools / "srun").write_text(SRUN.format(python=sys.executable))
    for tool in ("scontrol", "srun"):
        (tools / tool).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_NODELIST": "x[1-2]",
        "SLURM_JOB_ID": str(os.getpid()),
        "MODEL_DIR": str(tmp_path / "model"),
    }
    command = [shutil.which("bash"), "examples/cluster/slurm.sh", "impl_keras", "--epochs", "1"]
    process = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, env=environment)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("of a cluster of 2 workers") == 2
    assert process.stdout.count("epoch 1: {'global_step': 63") == 1
    assert list((tmp_path / "model").glob("checkpoint*"))


@pytest.mark.parametrize(
    ("index", "servers", "task"),
    [(0, 0, ("chief", 0)), (2, 0, ("worker", 1)), (2, 1, ("ps", 0)), (1, 1, ("worker", 0))],
)
def test_tf_config_of_a_scheduler(index, servers, task):
    process = subprocess.run(
        [sys.executable, "examples/cluster/tf_config.py", str(index), "a:1", "b:1", "c:1"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
        env={**os.environ, "PARAMETER_SERVERS": str(servers)},
    )
    config = json.loads(process.stdout)
    assert (config["task"]["type"], config["task"]["index"]) == task
    assert config["cluster"] == (
        {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
        if not servers
        else {"chief": ["a:1"], "worker": ["b:1"], "ps": ["c:1"]}
    )


@pytest.mark.parametrize(
    ("workers", "servers", "expected"),
    [(1, 0, 0), (2, 0, 800), (4, 0, 2400), (1, 1, 800), (4, 1, 3200)],
)
def test_bytes_of_a_step(workers, servers, expected):
    assert bytes_per_step(100, workers, servers) == expected


def test_the_exchange_takes_messages_and_bytes():
    link = Link(bandwidth=1000.0, latency=0.5)
    assert exchange_s(100, 1, 0, link) == 0
    assert exchange_s(100, 2, 0, link) == pytest.approx(2 * 0.5 + 2 * 200 / 1000)
    assert exchange_s(100, 4, 0, link) == pytest.approx(6 * 0.5 + 6 * 100 / 1000)
    assert exchange_s(100, 4, 1, link) == pytest.approx(2 * 0.5 + 4 * 400 / 1000)
    assert exchange_s(100, 4, 2, link) == pytest.approx(2 * 0.5 + 4 * 400 / 1000 / 2)
    assert expected_efficiency(1.4, 100, 2, 0, link) == pytest.approx(0.5)
    assert expected_efficiency(1.4, 100, 1, 1, link) == 1
    assert expected_efficiency(1.4, 100, 4, 1, link) == pytest.approx((1.4 + 1.4) / (1.4 + 2.6))


def write_clusters(folder, seeds):
    """Writes cells of one worker and of two, which have 0.8 of twice the throughput."""
    for seed in range(seeds):
        for workers, step_s in ((1, 0.01), (2, 0.0125)):
            write_measured(
                folder, "keras", "small", "logits", seed, profile=f"cluster{workers}", step_s=step_s
            )
            record = read_cell(folder, f"keras-cluster{workers}-small-logits-{seed}")
            record.workers, record.batch_size = workers, 32 * workers
            write_cell(folder, record)


@pytest.mark.parametrize(("seeds", "shown"), [(6, "0.40 [0.40, 0.40]"), (5, "-")])
def test_efficiency_is_derived_from_paired_trainings_and_has_an_interval_or_none_is_shown(
    tmp_path, seeds, shown
):
    write_clusters(tmp_path, seeds)
    results, curves, _ = frames(tmp_path)
    two = results[results["workers"] == 2]
    assert two["scaling_efficiency"].to_numpy() == pytest.approx(
        0.4
    )  # A row has equally many samples here, so that two workers are worth half.
    assert two["bytes_per_step"].tolist() == [8 * 100] * seeds
    _, figure, _ = next(iter(curve_plots(curves)))
    assert [list(line.x) for line in figure.data] == [[1, 2]] * 2 * seeds
    assert {line.name for line in figure.data} == {
        "keras cluster1, logits",
        "keras cluster2, logits",
    }
    table = scaling_table(results).set_index("workers")
    assert table.loc[2, "scaling efficiency"] == shown
    assert table.loc[2, "bytes/step"] == "800"
    scaling = scaling_frame(results)
    assert scaling["workers"].tolist() == [1, 2]
    assert scaling["median"].tolist() == pytest.approx([3200, 2560])
    drawn, ideal = scaling_plot(scaling, "small").data
    assert list(drawn.y) == pytest.approx([3200, 2560])
    assert list(ideal.y) == pytest.approx([3200, 6400])
    assert expected_table(results)["8 workers"].tolist() == [
        f"{expected_efficiency(0.01, 100, 8, 0, Link(1.25e9, 5e-5)):.2f}"
    ]


def test_a_plain_run_has_no_scaling(tmp_path):
    write_measured(tmp_path)
    results, _, _ = frames(tmp_path)
    assert results["workers"].tolist() == [1]
    assert results["scaling_efficiency"].isna().all()
    assert not len(scaling_table(results))
    assert not len(expected_table(results))
    assert not len(scaling_frame(results))


def test_a_process_whose_exit_code_is_known_has_ended():
    """Checks that it has ended at once, though its sentinel is ready only a moment later."""
    with with_forkserver():
        for _ in range(20):
            with Group(time.sleep, 0) as group:
                assert group.exitcode == 0
                assert group.has_ended
        with Group(time.sleep, 1000) as group:
            assert not group.has_ended
