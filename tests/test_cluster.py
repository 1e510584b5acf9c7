"""Trainings on several machines: real processes that meet on this machine's loopback interface.

They run plain gradient descent for 50 steps. The losses of two workers then differ from those of
one worker by up to 8e-6 of their size, because float32 sums are made in another order. Adam would
make the difference larger.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import time
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pytest

from bench.data.source import Spec
from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
from bench.implementations import IMPLEMENTATIONS
from bench.process.forkserver import CONTEXT, with_forkserver
from bench.process.group import Group
from bench.task import Task

NAMES = list(IMPLEMENTATIONS)


def only(name):
    """Returns all names for `parametrize`; tests of the others than `name` are slow."""
    return [pytest.param(one, marks=[] if one == name else pytest.mark.slow) for one in NAMES]


ROLES = {
    "lowlevel": ["chief", "worker", "ps"],
    "estimator": ["chief", "worker"],
    "keras": ["worker", "worker"],
}
ALONE = {"lowlevel": ["chief", "ps"], "estimator": ["chief"], "keras": ["worker"]}
BATCH = 21
"""An odd batch size; the last batch of an epoch has 11 samples.

Two workers therefore never get shares of the same size.
"""

EPOCHS, STEPS_PER_EPOCH = 5, 10
BOUND = {"rel": 5e-5, "abs": 1e-6}


@pytest.fixture(scope="module", autouse=True)
def forkserver():
    with with_forkserver():
        yield


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(Synthetic(), Spec("small", 130, train=200, evaluation=50))


class Teller:
    """An observer that sends all it sees to another process.

    After `life` steps it sends the signal `end` to its own process.
    """

    def __init__(self, sender, life, end):
        self.sender, self.life, self.end = sender, life, end

    def begin(self):
        self.sender.send(("begin", None))

    def step(self, loss, steps=1):
        self.sender.send(("loss", float(loss)))
        self.life -= 1
        if not self.life:
            os.kill(os.getpid(), self.end)

    def evaluation(self, evaluation, probe):
        self.sender.send(("evaluation", evaluation))


def take_part(sender, log, module, config, dataset, folder, options):
    """Runs a member of the cluster in its own process.

    After an error it exits at once: TensorFlow's objects cannot be destroyed cleanly once another
    member is gone.
    """
    options = dict(options)
    life, end, cpus, version = (
        options.pop(name, None) for name in ("life", "end", "cpus", "version")
    )
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1), os.dup2(output, 2)
    if config:
        os.environ["TF_CONFIG"] = json.dumps(config)
    import tensorflow as tf

    if cpus:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * cpus,
        )
    if version:
        tf.version.VERSION = tf.compat.v1.version.VERSION = version
    options = {"epochs": EPOCHS, "batch_size": BATCH, "optimizer": "sgd", **options}
    task = Task(dataset, "logits", 5, model_dir=Path(folder), **options)
    try:
        trained = importlib.import_module(module).train(
            task, Teller(sender, life or -1, end or signal.SIGKILL)
        )
        sender.send(("trained", trained))
    except Exception as error:
        sender.send(("error", f"{type(error).__name__}: {error}"))
        os._exit(1)


class Members:
    """Processes that train together, and what each has sent.

    An option that is a list holds one value for each member.
    """

    def __init__(self, module, roles, dataset, folder, absent=(), **options):
        self.told, self.groups, self.receivers, self.logs = [], [], [], []
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as sockets:
            cluster, places = {}, []
            for role in roles:
                found = sockets.enter_context(socket.socket())
                found.bind(("127.0.0.1", 0))
                places.append((role, len(cluster.setdefault(role, []))))
                cluster[role].append(f"127.0.0.1:{found.getsockname()[1]}")
        for number, (role, index) in enumerate(places):
            if number in absent:
                continue
            own = {
                name: value[number] if isinstance(value, list) else value
                for name, value in options.items()
            }
            config = {"cluster": cluster, "task": {"type": role, "index": index}}
            receiver, sender = CONTEXT.Pipe(duplex=False)
            self.logs.append(folder.with_name(f"{folder.name}.{role}{index}.log"))
            self.groups.append(
                self.stack.enter_context(
                    Group(
                        take_part,
                        sender,
                        self.logs[-1],
                        module,
                        config if role != "alone" else None,
                        dataset,
                        str(folder),
                        own,
                    )
                )
            )
            sender.close()
            self.receivers.append(receiver)
            self.told.append(
                {"begin": [], "loss": [], "evaluation": [], "trained": [], "error": []}
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def listen(self, until=lambda told: False, limit_s=60):
        """Receives what the members send, until they have ended or `until` returns True."""
        deadline = time.monotonic() + limit_s
        open_ones = dict(zip(self.receivers, self.told))
        while open_ones and not until(self.told):
            assert time.monotonic() < deadline, self.told
            for receiver in wait(list(open_ones), 1):
                try:
                    what, value = receiver.recv()
                    open_ones[receiver][what].append(value)
                except EOFError:
                    del open_ones[receiver]
        return self.told


def train(module, roles, dataset, folder, **options):
    with Members(module, roles, dataset, folder, **options) as members:
        told = members.listen()
        assert [group.exitcode for group in members.groups] == [0] * len(roles), told
        return told


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory):
    """Returns {name: what the training without a cluster sent}."""
    return {
        name: train(f"{module}.train", ["alone"], dataset, tmp_path_factory.mktemp(name))[0]
        for name, module in IMPLEMENTATIONS.items()
    }


@pytest.fixture(scope="module")
def together(dataset, tmp_path_factory):
    """Returns {name: what two workers sent}; the low-level API also has a parameter server."""
    return {
        name: train(f"{module}.cluster", ROLES[name], dataset, tmp_path_factory.mktemp(name))
        for name, module in IMPLEMENTATIONS.items()
    }


def mean_losses(told):
    return np.mean([one["loss"] for one in told if one["begin"]], axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_workers_train_as_one_does_and_the_chief_alone_evaluates(name, alone, together):
    chief, worker, *servers = together[name]
    assert len(chief["loss"]) == len(worker["loss"]) == EPOCHS * STEPS_PER_EPOCH
    assert mean_losses(together[name]) == pytest.approx(np.array(alone[name]["loss"]), **BOUND)
    assert [row.global_step for row in chief["evaluation"]] == [10, 20, 30, 40, 50]
    for mine, expected in zip(chief["evaluation"], alone[name]["evaluation"]):
        assert mine.loss == pytest.approx(expected.loss, **BOUND)
        assert mine.true_positives == expected.true_positives
    assert chief["trained"][0].outputs == pytest.approx(
        alone[name]["trained"][0].outputs, rel=1e-3, abs=1e-3
    )
    assert chief["trained"][0].parameters == 12_786
    assert worker["trained"] == [None]
    assert not worker["evaluation"]
    assert all(server["trained"] == [None] and not server["begin"] for server in servers)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_cluster_of_one_worker_trains_as_without_a_cluster(name, alone, dataset, tmp_path):
    told = train(f"{IMPLEMENTATIONS[name]}.cluster", ALONE[name], dataset, tmp_path)
    assert told[0]["loss"] == pytest.approx(alone[name]["loss"], **BOUND)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["estimator", "keras"])
def test_two_devices_of_one_machine_train_as_one_does(name, alone, dataset, tmp_path):
    told = train(f"{IMPLEMENTATIONS[name]}.cluster", ["alone"], dataset, tmp_path, cpus=2)
    assert told[0]["loss"] == pytest.approx(alone[name]["loss"], **BOUND)
    assert told[0]["evaluation"][-1].loss == pytest.approx(
        alone[name]["evaluation"][-1].loss, **BOUND
    )


def elements(name, part, make, task):
    """Returns what a dataset gives, as lists of NumPy arrays.

    `make` gets the module `part` of the implementation and returns the dataset.
    """
    import tensorflow as tf

    module = importlib.import_module(f"{IMPLEMENTATIONS[name]}.{part}")
    if name == "keras":
        return [tf.nest.flatten(element) for element in make(module).as_numpy_iterator()]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(task.seed)
        element = tf.nest.flatten(tf.compat.v1.data.make_one_shot_iterator(make(module)).get_next())
        found = []
        with contextlib.suppress(tf.errors.OutOfRangeError):
            while True:
                found.append(session.run(element))
        return found


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_batch_is_dealt_out_whole_among_the_replicas(name, replicas, dataset, tmp_path):
    task = Task(dataset, "logits", 5, 2, tmp_path, batch_size=BATCH)
    batches = elements(
        name,
        "input",
        lambda module: getattr(
            module, "training_input" if name == "estimator" else "training_dataset"
        )(task),
        task,
    )
    skip = 3

    def share_of(first):
        return elements(
            name,
            "cluster",
            lambda module: module.shared_dataset(task, replicas, first, 1, skip).take(
                task.steps - skip
            ),
            task,
        )

    shares = [share_of(first) for first in range(replicas)]
    assert {len(share) for share in shares} == {len(batches) - skip}
    for batch, dealt in zip(batches[skip:], zip(*shares)):
        signal, labels = batch
        rows, weighed = {}, 0
        for first, share in enumerate(dealt):
            one = dict(
                zip(
                    ("signal", "weight", "label")
                    if name == "estimator"
                    else ("signal", "label", "weight"),
                    share,
                )
            )
            real = one["weight"] > 0
            assert (one["signal"][real] == signal[first::replicas]).all()
            assert (one["label"][real] == labels[first::replicas]).all()
            weighed += np.mean(one["weight"] * one["label"]) / replicas
            rows[len(real)] = True
        assert len(rows) == 1  # All shares have the same size.
        assert weighed == pytest.approx(np.mean(labels), rel=1e-6)


@pytest.mark.parametrize("name", only("keras"))
def test_when_a_worker_is_killed_the_others_fail_and_training_goes_on_from_the_last_checkpoint(
    name, alone, dataset, tmp_path
):
    module = f"{IMPLEMENTATIONS[name]}.cluster"
    options = {"checkpoint_steps": 7, "peer_timeout_s": 4}
    with Members(
        module, ROLES[name], dataset, tmp_path, life=[None, 25, None], **options
    ) as members:
        chief, worker, *servers = members.listen()
        assert members.groups[1].exitcode == -signal.SIGKILL
        assert len(worker["loss"]) == 25
        assert not worker["error"]
        assert chief["error"]
        assert 25 <= len(chief["loss"]) <= 26
        assert all(server["error"] for server in servers)
    told = train(module, ROLES[name], dataset, tmp_path, **options)
    losses = mean_losses(told)
    assert (
        len(losses) == EPOCHS * STEPS_PER_EPOCH - 21
    )  # The last checkpoint before step 25 is of step 21.
    assert losses == pytest.approx(np.array(alone[name]["loss"][21:]), **BOUND)
    assert [row.global_step for row in told[0]["evaluation"]] == [30, 40, 50]
    again = train(module, ROLES[name], dataset, tmp_path, **options)
    assert not again[0]["loss"]
    assert (again[0]["trained"][0].outputs == told[0]["trained"][0].outputs).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_when_a_worker_no_longer_answers_the_others_fail(name, dataset, tmp_path):
    """Stops the worker: its connections stay open, as those of a machine that has vanished do."""
    with Members(
        f"{IMPLEMENTATIONS[name]}.cluster",
        ROLES[name],
        dataset,
        tmp_path,
        life=[None, 25, None],
        end=signal.SIGSTOP,
        peer_timeout_s=3,
    ) as members:
        stopped = members.groups[1]
        others = [group for group in members.groups if group is not stopped]
        chief, *_ = members.listen(until=lambda told: all(group.has_ended for group in others))
        assert not stopped.has_ended
        assert all(group.exitcode == 1 for group in others)
        assert not chief["trained"]
        assert chief["error"] or members.logs[0].read_text().endswith(
            "error: another worker has not answered for 3 s\n"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", only("lowlevel"))
def test_a_worker_that_does_not_come_ends_the_others(name, dataset, tmp_path):
    with Members(
        f"{IMPLEMENTATIONS[name]}.cluster",
        ROLES[name],
        dataset,
        tmp_path,
        absent=[1],
        peer_timeout_s=3,
    ) as members:
        told = members.listen(limit_s=20)
        assert all(group.exitcode == 1 for group in members.groups)
        assert not any(one["begin"] for one in told)
        if name == "lowlevel":
            assert all(
                "have come within 3 s: missing /job:worker/task:0" in one["error"][0]
                for one in told
            )
        else:  # It waits in C++, so that another process says why it ends.
            lines = members.logs[0].read_text().splitlines()
            assert lines[-1] == "error: not all members of the cluster have come within 3 s"
            assert not any("Thread" in line for line in lines)  # There is no traceback.


@pytest.mark.slow
@pytest.mark.parametrize("name", only("estimator"))
def test_different_versions_are_refused_by_all_who_see_them(name, dataset, tmp_path):
    versions = ["2.15.1", "2.14.0", "2.15.1"]
    check_disagreement(name, dataset, tmp_path, {"version": versions}, *versions)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_members_that_would_train_for_different_epochs_are_refused_by_all(name, dataset, tmp_path):
    check_disagreement(
        name, dataset, tmp_path, {"epochs": [EPOCHS, EPOCHS + 1, EPOCHS]}, "50", "60"
    )


def check_disagreement(name, dataset, folder, options, *said):
    with Members(
        f"{IMPLEMENTATIONS[name]}.cluster", ROLES[name], dataset, folder, **options
    ) as members:
        for one in members.listen():
            assert one["error"]
            assert one["error"][0].startswith("UserError")
            assert not one["begin"]
            assert all(text in one["error"][0] for text in said)
