import pytest

from bench.measure.trace import INPUT, STEP, ProfilerTracer, read_trace

MS = 10**9  # in picoseconds


def xspace(planes: dict):
    """Returns an XSpace made from {plane: {line: [(name, start ms, duration ms)]}}."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    for plane_name, lines in planes.items():
        plane = space.planes.add(name=plane_name)
        for line_name, events in lines.items():
            line = plane.lines.add(name=line_name, timestamp_ns=5_000_000)
            for name, start, duration in events:
                number = len(plane.event_metadata) + 1
                plane.event_metadata[number].name = name
                line.events.add(
                    metadata_id=number, offset_ps=int(start * MS), duration_ps=int(duration * MS)
                )
    return space.SerializeToString()


CALLS = [(STEP, 0, 10), (STEP, 10, 10)]
RUN = [("SessionRun", 1, 8), ("SessionRun", 11, 8)]


def test_cpu_kernels_count_once_where_threads_overlap_and_the_input_pipeline_not_at_all():
    calls, kernels = read_trace(
        xspace(
            {
                "/host:CPU": {
                    "python": [*CALLS, *RUN],
                    "tf_Compute/1": [
                        ("conv1/Conv2D:_MklNativeConv2D", 2, 4),
                        ("ExecutorState::Process", 0, 9),
                        ("Relu:Relu", 12, 1),
                    ],
                    "tf_Compute/2": [
                        ("gradients/add-1/x.y:AddV2", 4, 4),
                        ("while:While", 0, 10),
                        ("IteratorGetNext:IteratorGetNext", 8, 1),
                    ],
                    "tf_data_private_threadpool/7": [
                        ("ParseExample/ParseExampleV2:ParseExampleV2", 0, 9)
                    ],
                }
            }
        )
    )
    assert [call["runtime_ms"] for call in calls] == pytest.approx([8, 8])
    assert [call["kernels_ms"] for call in calls] == pytest.approx([6, 1])
    assert kernels == [
        {"kernel": "_MklNativeConv2D", "device": "CPU", "count": 1, "total_ms": pytest.approx(4)},
        {"kernel": "AddV2", "device": "CPU", "count": 1, "total_ms": pytest.approx(4)},
        {"kernel": "Relu", "device": "CPU", "count": 1, "total_ms": pytest.approx(1)},
    ]
    assert "gpu_ms" not in calls[0]


def test_a_wait_for_input_counts_where_no_kernel_runs_and_within_the_runtime_only():
    calls, _ = read_trace(
        xspace(
            {
                "/host:CPU": {
                    "python": [*CALLS, *RUN],
                    "tf_data_iterator_get_next/3": [(INPUT, 0, 4), (INPUT, 11, 2)],
                    "tf_Compute/1": [("Conv2D:Conv2D", 3, 4)],
                }
            }
        )
    )
    assert [call["input_ms"] for call in calls] == pytest.approx([2, 2])
    assert [call["kernels_ms"] for call in calls] == pytest.approx([4, 0])


def test_eager_calls_into_c_plus_plus_count_as_sessions_do_and_nested_ones_once():
    calls, _ = read_trace(
        xspace(
            {
                "/host:CPU": {
                    "python": [
                        *CALLS,
                        ("TFE_Py_ExecuteCancelable", 1, 5),
                        ("TFE_Py_FastPathExecute_C", 2, 1),
                        ("TFE_Py_FastPathExecute_C", 7, 1),
                    ]
                }
            }
        )
    )
    assert [call["runtime_ms"] for call in calls] == pytest.approx([6, 0])


def test_gpu_kernels_are_taken_from_the_streams_and_copies_apart():
    calls, kernels = read_trace(
        xspace(
            {
                "/host:CPU": {"python": [*CALLS, *RUN], "tf_Compute/1": [("MatMul:MatMul", 0, 10)]},
                "/device:GPU:0": {
                    "Stream #13(compute)": [
                        ("volta_sgemm_128x64", 1, 3),
                        ("Memset", 5, 1),
                        ("relu_kernel", 11, 2),
                    ],
                    "Stream #14(memcpyH2D)": [("MemcpyH2D", 0, 4)],
                    "TensorFlow Ops": [("MatMul:MatMul", 0, 10)],
                },
                "/device:GPU:1": {"Stream #13(compute)": [("volta_sgemm_128x64", 2, 4)]},
            }
        )
    )
    assert [call["gpu_ms"] for call in calls] == pytest.approx([5, 2])
    assert [call["gpu_copy_ms"] for call in calls] == pytest.approx([5, 0])
    assert ("volta_sgemm_128x64", "GPU", 2) in {
        (row["kernel"], row["device"], row["count"]) for row in kernels
    }


def test_a_kernel_over_the_end_of_a_call_is_shared_between_the_two():
    calls, _ = read_trace(
        xspace(
            {
                "/host:CPU": {
                    "python": [*CALLS, ("SessionRun", 0, 20)],
                    "tf_Compute/1": [("Conv2D:Conv2D", 8, 5)],
                }
            }
        )
    )
    assert [call["kernels_ms"] for call in calls] == pytest.approx([2, 3])


def test_a_gpu_without_kernels_is_measured_as_zero_not_as_missing():
    calls, _ = read_trace(xspace({"/host:CPU": {"python": [*CALLS, *RUN]}, "/device:GPU:0": {}}))
    assert [call["gpu_ms"] for call in calls] == [0, 0]


def test_the_profiler_sees_the_kernels_of_a_real_session():
    import time

    import numpy as np
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        matrix = tf.placeholder(tf.float32, [600, 600])
        product, feed = tf.reduce_sum(matrix @ matrix), {matrix: np.ones([600, 600], np.float32)}
        session.run(product, feed)
        tracer = ProfilerTracer()
        tracer.start()
        began = time.perf_counter()
        session.run(product, feed)
        tracer.next_step()
        session.run(product, feed)
        wall_ms = (time.perf_counter() - began) * 1e3
        tracer.stop()
    calls, kernels = read_trace(tracer.trace)
    assert len(calls) == 2
    assert {row["kernel"] for row in kernels} & {
        "MatMul",
        "_MklMatMul",
        "BatchMatMulV2",
        "_FusedMatMul",
    }
    for call in calls:
        assert 0 < call["kernels_ms"] <= call["runtime_ms"]
    assert sum(call["runtime_ms"] for call in calls) < wall_ms
