"""Utilisation, memory and energy of the GPUs, as NVIDIA's driver reports them.

Source: NVIDIA Management Library (NVML), through the package `nvidia-ml-py`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

NO_GPU = "no NVIDIA driver was found (NVML)"


class Gpus:
    """All GPUs of the machine, read together.

    Where nothing can be measured, `reason` says why: no GPU, no driver or no `nvidia-ml-py`.
    """

    def __init__(self, nvml: ModuleType | None = None):
        self._handles: list = []
        self.reason = ""
        try:
            self._nvml = nvml or importlib.import_module("pynvml")
        except ImportError:
            self.reason = "nvidia-ml-py is not installed"
            return
        try:
            self._nvml.nvmlInit()
            self._handles = [
                self._nvml.nvmlDeviceGetHandleByIndex(number)
                for number in range(self._nvml.nvmlDeviceGetCount())
            ]
        except self._nvml.NVMLError as error:
            self.reason = f"{NO_GPU}: {error}"

    @property
    def count(self) -> int:
        """Number of GPUs."""
        return len(self._handles)

    def read(self) -> dict[str, float]:
        """Reads the GPUs now; without a GPU, returns an empty dictionary.

        Returns:
            `gpu_energy_j`: the energy in joules that all GPUs used since their driver was loaded.
            `gpu_utilisation`: the share of the driver's last sample period (1/6 to 1 s) in which a
                kernel ran, as the mean over GPUs.
            `gpu_memory_mib`: the memory in MiB that all processes use on all GPUs.
            A value that a GPU does not report is left out.
        """
        readings = {
            "gpu_energy_j": lambda handle: (
                self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
            ),
            "gpu_utilisation": lambda handle: (
                self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            ),
            "gpu_memory_mib": lambda handle: (
                self._nvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20
            ),
        }
        found = {}
        for name, reading in readings.items() if self._handles else ():
            try:
                values = [reading(handle) for handle in self._handles]
            except self._nvml.NVMLError:
                continue
            found[name] = sum(values) / (len(values) if name == "gpu_utilisation" else 1)
        return found


def over_turn(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Returns the readings of a turn: the energy that it used, all other values at its end."""
    values = dict(after)
    if "gpu_energy_j" in after:
        values["gpu_energy_j"] = after["gpu_energy_j"] - before["gpu_energy_j"]
    return values
