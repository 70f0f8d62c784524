"""Queries NVIDIA's driver for the memory of its GPUs and of the processes that use them."""

import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gglib.core.memory import GpuMemory
from gglib.system.gpu_kinds import GpuState, GpuVendor

TIMEOUT_S = 2.0
"""A driver that is not loaded yet takes about a second; a hanging driver never returns."""
_PROCESS_LISTS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")
"""CUDA's processes, and Vulkan's."""


def read_nvidia_states(
    load: Callable[[], Any] = lambda: importlib.import_module("pynvml"), *, timeout_s: float = TIMEOUT_S
) -> tuple[GpuState, ...]:
    """Return each GPU's state; empty without a driver, and without a response in ``timeout_s``. Never raises.

    ``load`` returns the module ``pynvml``, which calls NVML, a library that comes with the driver. In a container the
    driver shows no processes, or the host's ids.
    """
    found: list[tuple[GpuState, ...]] = []
    # The calls cannot be interrupted: a daemon thread does not keep the process alive.
    thread = threading.Thread(target=lambda: found.append(_query(load)), name="gpus", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else ()


def _query(load: Callable[[], Any]) -> tuple[GpuState, ...]:
    try:
        nvml = load()
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library, no driver, no permission: there is no usable GPU
        return ()
    try:
        return tuple(gpu for index in range(nvml.nvmlDeviceGetCount()) for gpu in _gpu(nvml, index))
    except Exception:  # noqa: BLE001 - as above
        return ()
    finally:
        _shut_down(nvml)


def _gpu(nvml: Any, index: int) -> tuple[GpuState, ...]:  # noqa: ANN401 - the library is not typed
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory, name = nvml.nvmlDeviceGetMemoryInfo(handle), nvml.nvmlDeviceGetName(handle)
    except Exception:  # noqa: BLE001 - a GPU that fell off the bus, or that has no memory of its own
        return ()
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    found = GpuMemory(
        name=text,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        vendor=GpuVendor.NVIDIA.value,
    )
    return (GpuState(found, _process_bytes(nvml, handle)),)


def _process_bytes(nvml: Any, handle: Any) -> dict[int, int]:  # noqa: ANN401 - the library is not typed
    """Return the memory of each process; a process in both lists has the same memory in both."""
    found: dict[int, int] = {}
    for name in _PROCESS_LISTS:
        with suppress(Exception):  # not supported by this GPU, or not permitted
            for process in getattr(nvml, name)(handle):
                if process.usedGpuMemory is not None:  # not available under some drivers
                    found[int(process.pid)] = int(process.usedGpuMemory)
    return found


def _shut_down(nvml: Any) -> None:  # noqa: ANN401 - the library is not typed
    try:
        nvml.nvmlShutdown()
    except Exception:  # noqa: BLE001 - the values are read already
        return
