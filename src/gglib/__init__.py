"""gglib: one OpenAI-compatible address in front of every GGUF model on a machine.

``__all__`` is what a program needs that embeds the proxy alone, or runs all of gglib (``docs/embedding.md``). A name is
imported when it is first used: ``import gglib`` alone imports no server, no database and no engine.
"""

TYPE_CHECKING = False
"""As ``typing`` has it for type checkers, whose import alone takes several times as long as this module."""
if TYPE_CHECKING:
    from gglib.app.serving.file_limits import fit_to_machine
    from gglib.app.serving.open_home import open_home
    from gglib.app.serving.server import Server, running_server
    from gglib.app.serving.supervisor import ProxyConfig, ProxySupervisor
    from gglib.app.settings import Settings, load_settings
    from gglib.core.api_keys import ApiKey, KeyLimits
    from gglib.core.errors import CatalogError, GglibError, ModelRuntimeError
    from gglib.core.models import ModelLaunchSpec, ModelSummary, RunningTarget
    from gglib.core.ports.catalog import ModelCatalogPort
    from gglib.core.ports.runtime import ModelRuntimePort
    from gglib.core.priority import Priority
    from gglib.core.version import __version__
    from gglib.proxy.options import LiveOptions, ProxyOptions
    from gglib.proxy.server import serve
    from gglib.runtime.engines import find_engine
    from gglib.runtime.local.launch_config import LaunchConfig
    from gglib.runtime.local.launcher import LocalLauncher
    from gglib.runtime.manager import EngineManager, RuntimeConfig

__all__ = [
    "ApiKey",
    "CatalogError",
    "EngineManager",
    "GglibError",
    "KeyLimits",
    "LaunchConfig",
    "LiveOptions",
    "LocalLauncher",
    "ModelCatalogPort",
    "ModelLaunchSpec",
    "ModelRuntimeError",
    "ModelRuntimePort",
    "ModelSummary",
    "Priority",
    "ProxyConfig",
    "ProxyOptions",
    "ProxySupervisor",
    "RunningTarget",
    "RuntimeConfig",
    "Server",
    "Settings",
    "__version__",
    "find_engine",
    "fit_to_machine",
    "load_settings",
    "open_home",
    "running_server",
    "serve",
]

_MODULES = {
    "ApiKey": "core.api_keys",
    "CatalogError": "core.errors",
    "EngineManager": "runtime.manager",
    "GglibError": "core.errors",
    "KeyLimits": "core.api_keys",
    "LaunchConfig": "runtime.local.launch_config",
    "LiveOptions": "proxy.options",
    "LocalLauncher": "runtime.local.launcher",
    "ModelCatalogPort": "core.ports.catalog",
    "ModelLaunchSpec": "core.models",
    "ModelRuntimeError": "core.errors",
    "ModelRuntimePort": "core.ports.runtime",
    "ModelSummary": "core.models",
    "Priority": "core.priority",
    "ProxyConfig": "app.serving.supervisor",
    "ProxyOptions": "proxy.options",
    "ProxySupervisor": "app.serving.supervisor",
    "RunningTarget": "core.models",
    "RuntimeConfig": "runtime.manager",
    "Server": "app.serving.server",
    "Settings": "app.settings",
    "__version__": "core.version",
    "open_home": "app.serving.open_home",
    "find_engine": "runtime.engines",
    "fit_to_machine": "app.serving.file_limits",
    "load_settings": "app.settings",
    "running_server": "app.serving.server",
    "serve": "proxy.server",
}

if not TYPE_CHECKING:  # a type checker goes by the imports above: a name that is not there is an error

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used. Raises AttributeError for any other."""
        import importlib  # noqa: PLC0415 - only here

        if name not in _MODULES:
            raise AttributeError(f"module 'gglib' has no attribute '{name}'")
        return getattr(importlib.import_module(f"gglib.{_MODULES[name]}"), name)
