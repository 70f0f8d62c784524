"""Runs engine processes and schedules which models are loaded. Public names are imported on first use."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gglib.runtime.local.launch_config import LaunchConfig
    from gglib.runtime.local.launcher import LocalLauncher
    from gglib.runtime.manager import EngineManager, RuntimeConfig

__all__ = ["EngineManager", "LaunchConfig", "LocalLauncher", "RuntimeConfig"]

_MODULES = {
    "EngineManager": "manager",
    "LaunchConfig": "local.launch_config",
    "LocalLauncher": "local.launcher",
    "RuntimeConfig": "manager",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _MODULES:
        raise AttributeError(f"module 'gglib.runtime' has no attribute '{name}'")
    return getattr(importlib.import_module(f"gglib.runtime.{_MODULES[name]}"), name)
