"""llama.cpp's servers as processes: who runs, how they start, how they end. Knows core only.

Public names are imported when they are first used: ``gglib ps`` needs to know of a running gglib, not how one is run.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gglib.runtime.manager import EngineManager, RuntimeConfig
    from gglib.runtime.supervisor import ProxyConfig, ProxyState, ProxyStatus, ProxySupervisor

__all__ = ["EngineManager", "ProxyConfig", "ProxyState", "ProxyStatus", "ProxySupervisor", "RuntimeConfig"]

_MODULES = {
    "EngineManager": "manager",
    "ProxyConfig": "supervisor",
    "ProxyState": "supervisor",
    "ProxyStatus": "supervisor",
    "ProxySupervisor": "supervisor",
    "RuntimeConfig": "manager",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _MODULES:
        raise AttributeError(f"module 'gglib.runtime' has no attribute '{name}'")
    return getattr(importlib.import_module(f"gglib.runtime.{_MODULES[name]}"), name)
