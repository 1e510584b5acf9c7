import pytest

from bench.measure.trace import STEP, ProfilerTracer, covered_ms, kernel_time

MS = 10**9  # picoseconds


def xspace(planes: dict):
    """An XSpace from {plane: {line: [(name, start ms, duration ms)]}}."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    for plane_name, lines in planes.items():
        plane = space.planes.add(name=plane_name)
        for line_name, events in lines.items():
            line = plane.lines.add(name=line_name, timestamp_ns=5_000_000)
            for name, start, duration in events:
                number = len(plane.event_metadata) + 1
                plane.event_metadata[number].name = name
                line.events.add(metadata_id=number, offset_ps=int(start * MS), duration_ps=int(duration * MS))
    return space.SerializeToString()


STEPS = {"python": [(STEP, 0, 10), (STEP, 10, 10)]}


def test_cpu_kernels_count_once_where_threads_overlap_and_the_input_pipeline_not_at_all():
    time = kernel_time(xspace({"/host:CPU": {
        **STEPS,
        "tf_Compute/1": [("conv1/Conv2D:_MklNativeConv2D", 1, 4), ("ExecutorState::Process", 0, 9), ("Relu:Relu", 12, 1)],
        "tf_Compute/2": [("gradients/add-1/x.y:AddV2", 3, 4), ("while:While", 0, 10), ("IteratorGetNext:IteratorGetNext", 8, 1)],
        "tf_data_private_threadpool/7": [("ParseExample/ParseExampleV2:ParseExampleV2", 0, 9)],
    }}))
    assert time.device_ms == pytest.approx([6, 1]) and time.gpu_ms is None


def test_gpu_kernels_are_taken_from_the_streams_without_copies_and_derived_lines():
    time = kernel_time(xspace({
        "/host:CPU": {**STEPS, "tf_Compute/1": [("MatMul:MatMul", 0, 10)]},
        "/device:GPU:0": {
            "Stream #13(compute)": [("volta_sgemm_128x64", 1, 3), ("Memset", 5, 1), ("relu_kernel", 11, 2)],
            "Stream #14(memcpyH2D)": [("MemcpyH2D", 0, 8)],
            "TensorFlow Ops": [("MatMul:MatMul", 0, 10)],
        },
        "/device:GPU:1": {"Stream #13(compute)": [("volta_sgemm_128x64", 2, 4)]},
    }))
    assert time.gpu_ms == pytest.approx([5, 2]) and time.device_ms == time.gpu_ms


def test_a_kernel_over_the_end_of_a_step_is_shared_between_the_two():
    time = kernel_time(xspace({"/host:CPU": {**STEPS, "tf_Compute/1": [("Conv2D:Conv2D", 8, 5)]}}))
    assert time.device_ms == pytest.approx([2, 3])


def test_a_gpu_without_kernels_is_measured_as_zero_not_as_missing():
    assert kernel_time(xspace({"/host:CPU": STEPS, "/device:GPU:0": {}})).gpu_ms == [0, 0]


def test_union_of_intervals():
    assert covered_ms([]) == 0
    assert covered_ms([(0, 2 * MS), (1 * MS, 3 * MS), (5 * MS, 6 * MS), (5 * MS, 6 * MS)]) == pytest.approx(4)


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
    measured = kernel_time(tracer.trace)
    assert len(measured.device_ms) == 2 and min(measured.device_ms) > 0 and sum(measured.device_ms) < wall_ms
