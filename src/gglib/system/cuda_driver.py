"""Reads which version of CUDA NVIDIA's driver supports. Never raises."""

import importlib
import threading
from collections.abc import Callable
from typing import Any

from gglib.system.nvidia import TIMEOUT_S


def read_cuda_version(
    load: Callable[[], Any] = lambda: importlib.import_module("pynvml"), *, timeout_s: float = TIMEOUT_S
) -> tuple[int, int] | None:
    """Return the newest version that the driver supports, as major and minor; None without a driver.

    ``load`` returns the module ``pynvml``; a driver that does not respond in ``timeout_s`` counts as none.
    """
    found: list[tuple[int, int] | None] = []
    # The calls cannot be interrupted: a daemon thread does not keep the process alive.
    thread = threading.Thread(target=lambda: found.append(_query(load)), name="cuda", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else None


def _query(load: Callable[[], Any]) -> tuple[int, int] | None:
    try:
        nvml = load()
        nvml.nvmlInit()
        version = int(nvml.nvmlSystemGetCudaDriverVersion_v2())  # 13040 is 13.4
        nvml.nvmlShutdown()
    except Exception:  # noqa: BLE001 - no library, no driver, no permission: there is no CUDA
        return None
    return version // 1000, version % 1000 // 10
