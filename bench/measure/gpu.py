"""What NVIDIA's driver says of the GPUs while variants take turns: utilisation, memory and energy (NVML, by `nvidia-ml-py`)."""

from __future__ import annotations

from types import ModuleType

NO_GPU = "no NVIDIA driver was found (NVML)"


class Gpus:
    """All GPUs of the machine together; without any, or without their driver, `reason` says why and nothing is measured."""

    def __init__(self, nvml: ModuleType | None = None):
        self._handles: list = []
        self.reason = ""
        try:
            if nvml is None:
                import pynvml as nvml
            nvml.nvmlInit()
            self._handles = [
                nvml.nvmlDeviceGetHandleByIndex(number)
                for number in range(nvml.nvmlDeviceGetCount())
            ]
            self._nvml = nvml
        except ImportError:
            self.reason = "nvidia-ml-py is not installed"
        except nvml.NVMLError as error:
            self.reason = f"{NO_GPU}: {error}"

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._handles)

    def read(self) -> dict[str, float]:
        """Now: `gpu_energy_j` used since the driver was loaded, `gpu_utilisation` as a share of the last sample period (1/6 to 1
        s, by the driver), `gpu_memory_mib` in use by all processes. Empty without a GPU; a value that a GPU does not tell
        is left out."""
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
    """What a turn used: energy as a difference, the rest as it was at its end."""
    values = dict(after)
    if "gpu_energy_j" in after:
        values["gpu_energy_j"] = after["gpu_energy_j"] - before["gpu_energy_j"]
    return values
