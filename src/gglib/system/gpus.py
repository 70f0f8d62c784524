"""Queries NVIDIA's driver for the memory of its GPUs."""

import importlib
import threading
from collections.abc import Callable
from typing import Any

from gglib.core.memory import GpuMemory

TIMEOUT_S = 2.0
"""A driver that is not loaded yet takes about a second; a hanging driver never returns."""


def read_gpus(
    load: Callable[[], Any] = lambda: importlib.import_module("pynvml"), *, timeout_s: float = TIMEOUT_S
) -> tuple[GpuMemory, ...]:
    """Return each GPU's memory; empty without a driver, and without a response in ``timeout_s``. Never raises.

    ``load`` returns the module ``pynvml``, which calls a library that comes with the driver.
    """
    found: list[tuple[GpuMemory, ...]] = []
    # The calls cannot be interrupted: a daemon thread does not keep the process alive.
    thread = threading.Thread(target=lambda: found.append(_query(load)), name="gpus", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else ()


def _query(load: Callable[[], Any]) -> tuple[GpuMemory, ...]:
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


def _gpu(nvml: Any, index: int) -> tuple[GpuMemory, ...]:  # noqa: ANN401 - the library is not typed
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory, name = nvml.nvmlDeviceGetMemoryInfo(handle), nvml.nvmlDeviceGetName(handle)
    except Exception:  # noqa: BLE001 - a GPU that fell off the bus, or that has no memory of its own
        return ()
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return (GpuMemory(name=text, total_bytes=int(memory.total), free_bytes=int(memory.free)),)


def _shut_down(nvml: Any) -> None:  # noqa: ANN401 - the library is not typed
    try:
        nvml.nvmlShutdown()
    except Exception:  # noqa: BLE001 - the values are read already
        return
