"""Describes the machine and the packages of a run."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

from bench.measure.gpu import Gpus

GOVERNORS = Path("/sys/devices/system/cpu")

PACKAGES = (
    "tensorflow",
    "tensorflow-estimator",
    "keras",
    "numpy",
    "pandas",
    "scipy",
    "tabulate",
    "wfdb",
)


def describe_environment() -> dict:
    """Returns JSON values. Imports TensorFlow to ask it for devices and threads."""
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_available": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": [round(load, 2) for load in psutil.getloadavg()],
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads()
        or "one per core",
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads()
        or "one per core",
        "governor": sorted(
            {
                path.read_text().strip()
                for path in GOVERNORS.glob("cpu[0-9]*/cpufreq/scaling_governor")
            }
        ),
        "gpu_counters": Gpus().reason or "available",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "packages": {package: metadata.version(package) for package in PACKAGES},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
