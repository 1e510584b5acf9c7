"""What the forkserver imports before it forks cells: TensorFlow, with the parts that load late.

All output of the forkserver, and of the processes that it forks, goes into the file that the
environment variable `LOG` names, and not to the terminal.
"""

import os

LOG = "BENCH_FORKSERVER_LOG"

if LOG in os.environ:
    with open(os.environ[LOG], "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    import tensorflow as tf

    late = [tf.keras.Model, tf.compat.v1.layers.dense]  # naming them loads them
    if hasattr(tf, "estimator"):
        late.append(tf.estimator.Estimator)

    # Every cell uses it at its end.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: F401  imported to be loaded
