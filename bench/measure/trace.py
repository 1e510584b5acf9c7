"""The TensorFlow profiler around a few steps, and the time in kernels read out of its XPlane trace."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KERNEL = re.compile(r"[A-Za-z0-9.][\w.>/-]*:[A-Z_]\w*")
"""An op's event is named `name:type` (TensorFlow, profiler/utils/tf_op_utils.cc, `ParseTfOpFullname`)."""

NO_KERNELS = {"While", "If", "PartitionedCall", "StatefulPartitionedCall", "StatelessWhile", "StatelessIf",
              "IteratorGetNext"}
"""Ops whose event spans those of other ops, or a wait for the input pipeline."""


STEP = "bench step"
"""The event that spans one traced step, on the thread that trains."""


class ProfilerTracer:
    """`tf.profiler.experimental`, which sees sessions, Estimator and Keras alike; `trace` is the XSpace's bytes."""

    trace: bytes | None = None

    def start(self) -> None:
        """Starts the profiler; a step begins."""
        import tensorflow as tf

        self._folder = tempfile.TemporaryDirectory(prefix="bench-trace-")
        tf.profiler.experimental.start(self._folder.name)
        self._begin_step()

    def next_step(self) -> None:
        """A step ended, the next begins."""
        self._step.__exit__(None, None, None)
        self._begin_step()

    def stop(self) -> None:
        """A step ended; stops the profiler."""
        import tensorflow as tf

        self._step.__exit__(None, None, None)
        tf.profiler.experimental.stop()
        with self._folder as folder:
            self.trace = next(Path(folder).glob("**/*.xplane.pb")).read_bytes()

    def _begin_step(self) -> None:
        import tensorflow as tf

        self._step = tf.profiler.experimental.Trace(STEP)
        self._step.__enter__()


@dataclass(frozen=True)
class KernelTime:
    """Milliseconds of each traced step in which at least one kernel ran: on the device that computes, and on a GPU
    if there is one."""

    device_ms: list[float]
    gpu_ms: list[float] | None


def kernel_time(trace: bytes) -> KernelTime:
    """The time in kernels in an XSpace (tensorflow/tsl/profiler/protobuf/xplane.proto), step by step.

    On a GPU, kernels are the events on the streams of its planes, copies and fills left out. On a CPU they are
    the op events on the executor's threads; the input pipeline runs the same kinds of op, on threads of its own.
    Kernels that overlap on several threads or streams count once.

    Raises:
        google.protobuf.message.DecodeError: `trace` is not an XSpace.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace)
    hosts = [plane for plane in space.planes if plane.name == "/host:CPU"]
    gpus = [plane for plane in space.planes if plane.name.startswith("/device:GPU:")]
    steps = sorted(interval for plane in hosts for line in plane.lines
                   for name, interval in _events(plane, line) if name == STEP)
    if gpus:
        gpu_ms = _per_step([interval for plane in gpus for interval in _gpu_kernels(plane)], steps)
        return KernelTime(gpu_ms, gpu_ms)
    return KernelTime(_per_step([interval for plane in hosts for interval in _cpu_kernels(plane)], steps), None)


def _per_step(kernels: list[tuple[int, int]], steps: list[tuple[int, int]]) -> list[float]:
    return [covered_ms((max(start, begin), min(stop, end)) for start, stop in kernels if start < end and stop > begin)
            for begin, end in steps]


def _gpu_kernels(plane) -> Iterable[tuple[int, int]]:
    for line in plane.lines:
        if line.name.startswith("Stream"):
            yield from (interval for name, interval in _events(plane, line)
                        if not name.lower().startswith(("memcpy", "memset")))


def _cpu_kernels(plane) -> Iterable[tuple[int, int]]:
    for line in plane.lines:
        if not line.name.startswith("tf_data"):
            yield from (interval for name, interval in _events(plane, line)
                        if KERNEL.fullmatch(name) and name.rsplit(":", 1)[1] not in NO_KERNELS)


def _events(plane, line) -> Iterable[tuple[str, tuple[int, int]]]:
    """Names and (start, end) in picoseconds, on a clock that the lines of a space share."""
    for event in line.events:
        start = line.timestamp_ns * 1000 + event.offset_ps
        yield plane.event_metadata[event.metadata_id].name, (start, start + event.duration_ps)


def covered_ms(intervals: Iterable[tuple[int, int]]) -> float:
    """Length of the union of (start, end) intervals in picoseconds, in ms."""
    covered, reached = 0, 0
    for start, end in sorted(intervals):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered / 1e9
