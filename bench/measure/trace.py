"""The TensorFlow profiler around a few calls, and the times of kernels in its XPlane trace."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

KERNEL = re.compile(r"[A-Za-z0-9.][\w.>/-]*:[A-Z_]\w*")
"""The event of an op is named `name:type`.

Source: TensorFlow, profiler/utils/tf_op_utils.cc, `ParseTfOpFullname`.
"""

NO_KERNELS = {
    "While",
    "If",
    "PartitionedCall",
    "StatefulPartitionedCall",
    "StatelessWhile",
    "StatelessIf",
    "IteratorGetNext",
}
"""Types of op that are no kernels: their events span other ops, or a wait for input."""

STEP = "bench step"
"""The event that spans one traced call, on the thread that trains."""

RUNTIME = {"SessionRun", "TFE_Py_Execute", "TFE_Py_ExecuteCancelable", "TFE_Py_FastPathExecute_C"}
"""Events that span a call from Python into C++, in sessions and in eager mode."""

INPUT = "IteratorGetNextOp::DoCompute"
"""The event of an op that waits for the input pipeline."""

Interval = tuple[int, int]
"""Start and end in picoseconds."""


class ProfilerTracer:
    """Traces calls with `tf.profiler.experimental`, which sees sessions, Estimator and Keras alike.

    `trace` holds the serialized XSpace after `stop`, and nothing before.
    """

    trace = b""

    def start(self) -> None:
        """Starts the profiler, at the beginning of a call."""
        import tensorflow as tf

        self._folder = tempfile.TemporaryDirectory(prefix="bench-trace-")
        # Level 3 includes kernels that the runtime counts as cheap: a third of the time on small.
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        tf.profiler.experimental.start(self._folder.name, options)
        self._begin_step()

    def next_step(self) -> None:
        """Marks the end of a call, and the beginning of the next."""
        self._step.__exit__(None, None, None)
        self._begin_step()

    def stop(self) -> None:
        """Marks the end of a call, and stops the profiler."""
        import tensorflow as tf

        self._step.__exit__(None, None, None)
        tf.profiler.experimental.stop()
        with self._folder as folder:
            self.trace = next(Path(folder).glob("**/*.xplane.pb")).read_bytes()

    def _begin_step(self) -> None:
        import tensorflow as tf

        self._step = tf.profiler.experimental.Trace(STEP)
        self._step.__enter__()


def read_trace(trace: bytes) -> tuple[list[dict], list[dict]]:
    """Reads a serialized XSpace (tensorflow/tsl/profiler/protobuf/xplane.proto).

    Returns:
        A row per traced call, in milliseconds. `runtime_ms`: in C++, on the thread that trains. Of
        this time, `kernels_ms`: at least one kernel ran on the CPU; `input_ms`: no kernel ran, and
        an op waited for the input pipeline. With a GPU, `gpu_ms`: at least one kernel ran on it;
        `gpu_copy_ms`: it copied or filled memory. Kernels that overlap on several threads or
        streams count once. Ops that the input pipeline runs on its own threads do not count.

        A row per type of kernel: `kernel` (the type), `device`, `count` and `total_ms` over all
        calls. Here the times of kernels that overlap are added up.

    Raises:
        google.protobuf.message.DecodeError: `trace` is not an XSpace.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace)
    hosts = [plane for plane in space.planes if plane.name == "/host:CPU"]
    gpus = [plane for plane in space.planes if plane.name.startswith("/device:GPU:")]
    events = [event for plane in hosts for line in plane.lines for event in _events(plane, line)]
    calls = sorted(interval for name, interval in events if name == STEP)
    runtime = [interval for name, interval in events if name in RUNTIME]
    waits = [interval for name, interval in events if name == INPUT]
    cpu = [event for plane in hosts for event in _cpu_kernels(plane)]
    gpu = [event for plane in gpus for event in _gpu_kernels(plane)]
    copies = [event for plane in gpus for event in _gpu_kernels(plane, copies=True)]
    rows = []
    for call in calls:
        within = _common([call], _union(runtime))
        kernels = _common(within, _union(interval for _, interval in cpu))
        busy = _union([*kernels, *_common(within, _union(waits))])
        row = {
            "runtime_ms": _length_ms(within),
            "kernels_ms": _length_ms(kernels),
            "input_ms": _length_ms(busy) - _length_ms(kernels),
        }
        if gpus:
            row["gpu_ms"] = _length_ms(_common([call], _union(interval for _, interval in gpu)))
            row["gpu_copy_ms"] = _length_ms(
                _common([call], _union(interval for _, interval in copies))
            )
        rows.append(row)
    return rows, [*_by_type(cpu, calls, "CPU"), *_by_type(gpu, calls, "GPU")]


def _by_type(kernels: list[tuple[str, Interval]], calls: list[Interval], device: str) -> list[dict]:
    """Returns a row per type of kernel that began within a call; the longest time comes first."""
    totals: dict[str, list[int]] = {}
    for name, (start, end) in kernels:
        if any(began <= start < ended for began, ended in calls):
            totals.setdefault(name.rsplit(":", 1)[-1], []).append(end - start)
    return [
        {"kernel": kernel, "device": device, "count": len(times), "total_ms": sum(times) / 1e9}
        for kernel, times in sorted(totals.items(), key=lambda item: -sum(item[1]))
    ]


def _gpu_kernels(plane, copies: bool = False) -> Iterable[tuple[str, Interval]]:
    """Yields the kernels of a GPU's streams or, with `copies`, their copies and fills of memory."""
    for line in plane.lines:
        if line.name.startswith("Stream"):
            yield from (
                event
                for event in _events(plane, line)
                if event[0].lower().startswith(("memcpy", "memset")) == copies
            )


def _cpu_kernels(plane) -> Iterable[tuple[str, Interval]]:
    for line in plane.lines:
        if not line.name.startswith("tf_data"):
            yield from (
                event
                for event in _events(plane, line)
                if KERNEL.fullmatch(event[0]) and event[0].rsplit(":", 1)[1] not in NO_KERNELS
            )


def _events(plane, line) -> Iterable[tuple[str, Interval]]:
    """Yields name and (start, end) in picoseconds, on a clock that all lines of a trace share."""
    for event in line.events:
        start = line.timestamp_ns * 1000 + event.offset_ps
        yield plane.event_metadata[event.metadata_id].name, (start, start + event.duration_ps)


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    """Returns the same time as sorted intervals that neither overlap nor touch."""
    union: list[Interval] = []
    for start, end in sorted(intervals):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return union


def _common(some: list[Interval], others: list[Interval]) -> list[Interval]:
    """Returns the time that two unions have in common, as intervals."""
    return [
        (max(start, begin), min(end, stop))
        for start, end in some
        for begin, stop in others
        if max(start, begin) < min(end, stop)
    ]


def _length_ms(union: list[Interval]) -> float:
    return sum(end - start for start, end in union) / 1e9
