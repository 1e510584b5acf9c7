"""What the forkserver imports before it forks cells: TensorFlow, and the parts of it that load late.

Everything printed on the way, here and in the processes forked from here, goes into the file that the
environment variable `LOG` names, not to the terminal.
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

    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: F401  read at the end of every cell
