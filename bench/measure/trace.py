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


class ProfilerTracer:
    """`tf.profiler.experimental`, which sees sessions, Estimator and Keras alike; `trace` is the XSpace's bytes."""

    trace: bytes | None = None

    def start(self) -> None:
        import tensorflow as tf

        self._folder = tempfile.TemporaryDirectory(prefix="bench-trace-")
        tf.profiler.experimental.start(self._folder.name)

    def stop(self) -> None:
        import tensorflow as tf

        tf.profiler.experimental.stop()
        with self._folder as folder:
            self.trace = next(Path(folder).glob("**/*.xplane.pb")).read_bytes()


@dataclass(frozen=True)
class KernelTime:
    """Milliseconds in which at least one kernel ran: on the device that computes, and on a GPU if there is one."""

    device_ms: float
    gpu_ms: float | None


def kernel_time(trace: bytes) -> KernelTime:
    """The time in kernels in an XSpace (tensorflow/tsl/profiler/protobuf/xplane.proto).

    On a GPU, kernels are the events on the streams of its planes, copies and fills left out. On a CPU they are
    the op events on the executor's threads; the input pipeline runs the same kinds of op, on threads of its own.
    Kernels that overlap on several threads or streams count once.

    Raises:
        google.protobuf.message.DecodeError: `trace` is not an XSpace.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace)
    gpu = [interval for plane in space.planes if plane.name.startswith("/device:GPU:")
           for interval in _gpu_kernels(plane)]
    if any(plane.name.startswith("/device:GPU:") for plane in space.planes):
        gpu_ms = covered_ms(gpu)
        return KernelTime(gpu_ms, gpu_ms)
    cpu = [interval for plane in space.planes if plane.name == "/host:CPU" for interval in _cpu_kernels(plane)]
    return KernelTime(covered_ms(cpu), None)


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
