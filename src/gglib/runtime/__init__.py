"""llama.cpp's servers as processes: who runs, how they start, how they end. Knows core only."""

from gglib.runtime.manager import EngineManager, RuntimeConfig
from gglib.runtime.supervisor import ProxyConfig, ProxyState, ProxyStatus, ProxySupervisor

__all__ = ["EngineManager", "ProxyConfig", "ProxyState", "ProxyStatus", "ProxySupervisor", "RuntimeConfig"]
