"""Training with sessions on several machines: parameter servers have the variables, and collect the
gradients of all workers."""

from __future__ import annotations

import time

import tensorflow.compat.v1 as tf

from bench.task import Observer, Task, Trained, UserError
from impl_lowlevel.input import Input, batch_parser, build_input, training_records
from impl_lowlevel.network import build_network
from impl_lowlevel.observe import EpochReport
from impl_lowlevel.train import Model, build_optimizer, evaluate, load_weights

PARAMETER_SERVERS = 1
"""Smallest number of parameter servers in a cluster. Each calls `train`, too."""

PAUSE_S = 0.05
"""Seconds between two looks at the progress of another member."""


def train(task: Task, observer: Observer) -> Trained | None:
    """Trains together with the other members that `TF_CONFIG` names: a chief, workers and parameter
    servers. Each of them calls this function.

    The chief evaluates after every epoch, and predicts the evaluation split. The others return
    None. Training goes on from the last checkpoint in `task.model_dir`, which only the chief reads.

    Raises:
        UserError: The members have different versions of TensorFlow or different options, or not
            all have come in time.
        tf.errors.OpError: Another member has died.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    cluster, job, index = resolver.cluster_spec(), resolver.task_type, resolver.task_id
    server = tf.distribute.Server(
        cluster,
        job,
        index,
        config=tf.ConfigProto(
            operation_timeout_in_ms=1000 * task.peer_timeout_s,
            device_count={"GPU": 0} if job == "ps" else {},  # it would take the memory of a GPU
        ),
    )
    meeting = Meeting(task, cluster, f"/job:{job}/task:{index}")
    with meeting.session:
        plans = meeting.plans()
        agreed = len(set(plans.values())) == 1
        trained = None
        if job == "ps":
            serve(task, meeting)
        elif agreed:
            trained = work(task, observer, cluster, server, meeting)
        meeting.leave()
    if not agreed:
        raise UserError(
            "all members of the cluster need the same version of TensorFlow and the same options: "
            + "; ".join(f"{member} has {plan}" for member, plan in plans.items())
        )
    return trained


class Meeting:
    """Passes messages between the members, in variables on the first parameter server.

    `own` is the name of this member, which is that of its devices. A member that waits looks again
    and again, for a short time each: a look at a server that has died fails.
    """

    def __init__(self, task: Task, cluster: tf.train.ClusterSpec, own: str):
        self.own = own
        self.addresses = {
            f"/job:{job}/task:{index}": cluster.task_address(job, index)
            for job in ("chief", "worker", "ps")
            if job in cluster.jobs
            for index in cluster.task_indices(job)
        }
        self.workers = [member for member in self.addresses if not member.startswith("/job:ps")]
        self.servers = [member for member in self.addresses if member.startswith("/job:ps")]
        self.timeout_s = task.peer_timeout_s
        with tf.Graph().as_default(), tf.device(self.servers[0]):
            members = list(enumerate(self.addresses))
            plan = f"TensorFlow {tf.version.VERSION} and {task.steps} steps"
            self.plan = {
                member: tf.get_variable(f"plan{number}", initializer=plan)
                for number, member in members
            }
            self.left = {
                member: tf.get_variable(f"left{number}", initializer=False)
                for number, member in members
            }
            self.ready = tf.get_variable("ready", initializer=tf.constant(-1, tf.int64))
            self.present = {
                member: tf.is_variable_initialized(plan) for member, plan in self.plan.items()
            }
            self.step = tf.placeholder(tf.int64, [])
            self.set_ready = self.ready.assign(self.step)
            self.set_left = self.left[own].assign(True)
            come = [self.left[own].initializer] + [self.ready.initializer] * (
                own == self.servers[0]
            )
            with tf.control_dependencies(come):
                self.come = tf.group(self.plan[own].initializer)
            self.session = session_with(
                self.addresses[self.servers[0]], self.servers[0], 1000 * task.peer_timeout_s
            )

    def plans(self) -> dict[str, str]:
        """Joins the others, and waits until all have come. Returns the plan of every member: its
        version of TensorFlow, and its number of steps.

        A parameter server waits twice as long, because the others look at it.

        Raises:
            UserError: Not all have come in time.
        """
        try:
            self.session.run(self.come)
        except tf.errors.DeadlineExceededError as error:
            raise self.absence([self.servers[0]]) from error
        deadline = time.monotonic() + self.timeout_s * (2 if self.own in self.servers else 1)
        while not all((present := self.session.run(self.present)).values()):
            if time.monotonic() > deadline:
                raise self.absence(
                    [member for member, is_present in present.items() if not is_present]
                )
            time.sleep(PAUSE_S)
        return {member: plan.decode() for member, plan in self.session.run(self.plan).items()}

    def absence(self, members: list[str]) -> UserError:
        return UserError(
            f"not all members of the cluster have come within {self.timeout_s} s: "
            f"missing {', '.join(members)}"
        )

    def announce(self, step: int) -> None:
        """Says, for the chief, that the other workers may go on after this step."""
        self.session.run(self.set_ready, {self.step: step})

    def wait_for_chief(self, step: int) -> None:
        while self.session.run(self.ready) < step:
            time.sleep(PAUSE_S)

    def leave(self) -> None:
        """Says that this member no longer needs the parameter servers."""
        self.session.run(self.set_left)


def session_with(address: str, member: str, timeout_ms: int) -> tf.Session:
    """Returns a session on the server of that member only. A session that also uses other servers
    cannot be closed after one of them has died."""
    config = tf.ConfigProto(operation_timeout_in_ms=timeout_ms, device_filters=[member])
    return tf.Session(f"grpc://{address}", config=config)


def serve(task: Task, meeting: Meeting) -> None:
    """Does the part of a parameter server: waits until all workers have left, and fails when one of
    them no longer answers. The first server leaves last."""
    left = set(meeting.workers)
    if meeting.own == meeting.servers[0]:
        left |= set(meeting.servers[1:])
    with tf.Graph().as_default():
        call = tf.no_op()
        sessions = {member: session_with(meeting.addresses[member], member, 300) for member in left}
    heard = dict.fromkeys(left, time.monotonic())
    while left:
        for member in left:
            try:
                sessions[member].run(call)
                heard[member] = time.monotonic()
            except tf.errors.OpError as error:
                # The workers find out first, and close their sessions.
                if time.monotonic() - heard[member] > 2 * task.peer_timeout_s:
                    raise error
        left -= {
            member for member, has_left in meeting.session.run(meeting.left).items() if has_left
        }
        time.sleep(PAUSE_S)


def work(
    task: Task,
    observer: Observer,
    cluster: tf.train.ClusterSpec,
    server: tf.distribute.Server,
    meeting: Meeting,
) -> Trained | None:
    """Does the part of a worker. The first worker is the chief: it also saves and evaluates, while
    the others wait."""
    number, workers = meeting.workers.index(meeting.own), len(meeting.workers)
    is_chief = number == 0
    with (
        tf.Graph().as_default(),
        tf.device(tf.train.replica_device_setter(cluster=cluster, worker_device=meeting.own)),
    ):
        skip = tf.placeholder(tf.int64, [])
        batch = build_input(task, shared_dataset(task, workers, number, 1, skip))
        optimizer = tf.train.SyncReplicasOptimizer(build_optimizer(task), workers)
        model = build_model(task, batch, optimizer)
        # The chief runs this in its steps. In the thread of a queue runner, as is usual, it would
        # time out during an evaluation.
        synchronise = optimizer.get_chief_queue_runner().enqueue_ops if is_chief else []
        report = EpochReport(task, observer, model.input, model.outputs, model.gradients)
        saver = tf.train.Saver(max_to_keep=None)
        scaffold = tf.train.Scaffold(
            saver=saver,
            init_fn=lambda scaffold, session: load_weights(task, session),
            ready_for_local_init_op=optimizer.ready_for_local_init_op,
            local_init_op=optimizer.chief_init_op if is_chief else optimizer.local_step_init_op,
        )
        config = tf.ConfigProto(
            operation_timeout_in_ms=1000 * task.peer_timeout_s,
            device_filters=["/job:ps", meeting.own],
        )
        # The same server by another name: by its own name it is called directly, without a time
        # limit.
        host, port = server.target.removeprefix("grpc://").rsplit(":", 1)
        target = f"grpc://{'127.0.0.1' if host == 'localhost' else 'localhost'}:{port}"
        if not is_chief:
            # TensorFlow calls weights initialised before they are loaded.
            meeting.wait_for_chief(0)
        with tf.train.MonitoredTrainingSession(
            target,
            is_chief,
            str(task.model_dir),
            scaffold,
            config=config,
            max_wait_secs=task.peer_timeout_s,
            save_checkpoint_secs=None,
            save_checkpoint_steps=None,
            save_summaries_steps=None,
            save_summaries_secs=None,
            log_step_count_steps=None,
        ) as session:
            step = int(session.run(model.global_step))
            if is_chief:
                meeting.announce(step)
            session.run(model.input.training.initializer, {skip: step})
            observer.begin()
            while step < task.steps:
                step += 1
                loss, local_step, _ = session.run([model.loss, model.train_op, synchronise])
                if local_step != step:
                    raise RuntimeError(
                        f"{meeting.own} has taken part in step {local_step} twice, and another "
                        "worker has not"
                    )
                observer.step(float(loss))
                is_end = step % task.steps_per_epoch == 0
                if is_chief and (
                    is_end or (task.checkpoint_steps and step % task.checkpoint_steps == 0)
                ):
                    save(session, saver, task, step)
                if is_chief and is_end:
                    evaluation, _ = evaluate(model, session)
                    report.write(session, evaluation)
                    meeting.announce(step)
                elif is_end:
                    meeting.wait_for_chief(step)
            if is_chief:
                _, outputs = evaluate(model, session)
                return Trained(
                    outputs,
                    sum(variable.shape.num_elements() for variable in tf.trainable_variables()),
                )
    return None


def save(session: tf.train.MonitoredSession, saver: tf.train.Saver, task: Task, step: int) -> None:
    path = str(task.model_dir / "checkpoint")
    session.run_step_fn(lambda step_context: saver.save(step_context.session, path, step))


def build_model(task: Task, batch: Input, optimizer: tf.train.Optimizer) -> Model:
    """Builds the network twice, on the same variables: for this worker's share of a training batch,
    and for the evaluation."""
    signal, labels, weights = batch.training.get_next()
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=labels, logits=build_network(signal, task.dataset.classes, task.outputs)
    )
    loss = tf.reduce_mean(weights * losses)
    global_step = tf.train.get_or_create_global_step()
    train_op = optimizer.minimize(loss, global_step)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        outputs = build_network(batch.signal, task.dataset.classes, task.outputs)
    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=batch.labels, logits=outputs
    )
    gradients = optimizer.compute_gradients(tf.reduce_mean(sample_losses))
    return Model(
        batch, outputs, loss, tf.reduce_sum(sample_losses), gradients, train_op, global_step
    )


def shared_dataset(
    task: Task, replicas: int, first: int, count: int, skip: tf.Tensor
) -> tf.data.Dataset:
    """Returns (signal, label, weight) of the same batches in the same order, without end, from
    batch `skip` on. Every batch is divided into shares, one for each of its `replicas`. The
    elements are the shares of `count` replicas, from replica `first` on, one after the other.

    Share i has the samples i, i + replicas, ... of the batch, which is filled up with samples of
    weight 0. With the weights, float32 [samples], the mean over all shares of mean(weight * loss)
    is the mean over the batch. Records are divided before they are parsed.
    """
    tf.set_random_seed(task.seed)
    records = (
        training_records(task)
        .shuffle(task.shuffle_buffer, seed=task.seed)
        .batch(task.batch_size)
        .repeat()
        .skip(skip)
    )
    parse = batch_parser(task)

    def deal(examples):
        samples = tf.size(examples)
        rows = (samples + replicas - 1) // replicas
        filled = tf.concat([examples, tf.repeat(examples[:1], rows * replicas - samples)], axis=0)
        weights = tf.cast(tf.range(rows * replicas) < samples, tf.float32) * tf.cast(
            rows * replicas / samples, tf.float32
        )
        shares = [
            tf.transpose(tf.reshape(values, [rows, replicas]))[first : first + count]
            for values in (filled, weights)
        ]
        return tf.data.Dataset.from_tensor_slices(tuple(shares))

    return (
        records.flat_map(deal)
        .map(lambda examples, weights: (*parse(examples), weights))
        .prefetch(2)
    )
