"""The driver's counters, from a hand-built driver, and what a machine without a GPU says."""

import types

import pytest

from bench.measure.gpu import Gpus, over_turn

pytestmark = pytest.mark.fast


class NVMLError(Exception):
    pass


def driver(count=2, energy=True):
    """A driver of two GPUs.

    One used 3 J and 100 MiB at 50 %, the other 5 J and 200 MiB at 100 %.
    """

    def total_energy(handle):
        if not energy:
            raise NVMLError("Not Supported")
        return [3000, 5000][handle]

    return types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetTotalEnergyConsumption=total_energy,
        nvmlDeviceGetUtilizationRates=lambda handle: types.SimpleNamespace(gpu=[50, 100][handle]),
        nvmlDeviceGetMemoryInfo=lambda handle: types.SimpleNamespace(
            used=[100, 200][handle] * 2**20
        ),
    )


def test_all_gpus_are_read_together():
    gpus = Gpus(driver())
    assert gpus.reason == ""
    assert gpus.count == 2
    assert gpus.read() == {"gpu_energy_j": 8, "gpu_utilisation": 0.75, "gpu_memory_mib": 300}


def test_what_a_gpu_does_not_tell_is_left_out():
    assert Gpus(driver(energy=False)).read() == {"gpu_utilisation": 0.75, "gpu_memory_mib": 300}


def test_a_turn_uses_the_difference_of_energy():
    before, after = (
        {"gpu_energy_j": 8.0, "gpu_memory_mib": 1.0},
        {"gpu_energy_j": 10.5, "gpu_memory_mib": 300.0},
    )
    assert over_turn(before, after) == {"gpu_energy_j": 2.5, "gpu_memory_mib": 300.0}
    assert over_turn({}, {}) == {}


def test_a_machine_without_a_driver_measures_nothing_and_says_why():
    def no_driver():
        raise NVMLError("NVML Shared Library Not Found")

    gpus = Gpus(types.SimpleNamespace(NVMLError=NVMLError, nvmlInit=no_driver))
    assert gpus.read() == {}
    assert "no NVIDIA driver was found (NVML): NVML Shared Library Not Found" in gpus.reason


def test_this_machine_is_read_without_an_error():
    pynvml = pytest.importorskip("pynvml")
    gpus = Gpus()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert gpus.reason
        assert gpus.read() == {}
