"""Asks NVIDIA's driver for the memory of its graphics processors."""

import importlib
import threading
from collections.abc import Callable
from typing import Any

from gglib.core.memory import GpuMemory

LIMIT_S = 2.0
"""A driver that was not loaded yet takes about a second; one that hangs, for ever."""


def read_gpus(
    load: Callable[[], Any] = lambda: importlib.import_module("pynvml"), *, limit_s: float = LIMIT_S
) -> tuple[GpuMemory, ...]:
    """Return each processor's memory; none without a driver, and without an answer in ``limit_s``. Never raises.

    ``load`` returns the module ``pynvml``, whose calls go to a library that comes with the driver.
    """
    found: list[tuple[GpuMemory, ...]] = []
    # Its calls cannot be interrupted: a thread that the process does not wait for at its end.
    thread = threading.Thread(target=lambda: found.append(_ask(load)), name="gpus", daemon=True)
    thread.start()
    thread.join(limit_s)
    return found[0] if found else ()


def _ask(load: Callable[[], Any]) -> tuple[GpuMemory, ...]:
    try:
        nvml = load()
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library, no driver, no right to ask: there is no GPU to count on
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
    except Exception:  # noqa: BLE001 - one that fell off the bus, or that has no memory of its own
        return ()
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return (GpuMemory(name=text, total_bytes=int(memory.total), free_bytes=int(memory.free)),)


def _shut_down(nvml: Any) -> None:  # noqa: ANN401 - the library is not typed
    try:
        nvml.nvmlShutdown()
    except Exception:  # noqa: BLE001 - it said what it had to say
        return
