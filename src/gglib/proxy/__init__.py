"""The OpenAI-compatible server. It imports only core and http: no processes, no database, no hub.

Public names are imported lazily: ``--json`` needs the response types, not the server.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gglib.proxy.guards.engine_fields import GUARDED_FIELDS, SchemaLimits
    from gglib.proxy.options import LiveHistory, LiveOptions, ProxyOptions
    from gglib.proxy.readiness import Readiness, ReadyState
    from gglib.proxy.server import SharedState, serve

__all__ = [
    "GUARDED_FIELDS",
    "LiveHistory",
    "LiveOptions",
    "ProxyOptions",
    "Readiness",
    "ReadyState",
    "SchemaLimits",
    "SharedState",
    "serve",
]

_MODULES = {
    "GUARDED_FIELDS": "guards.engine_fields",
    "LiveHistory": "options",
    "LiveOptions": "options",
    "ProxyOptions": "options",
    "Readiness": "readiness",
    "ReadyState": "readiness",
    "SchemaLimits": "guards.engine_fields",
    "SharedState": "server",
    "serve": "server",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _MODULES:
        raise AttributeError(f"module 'gglib.proxy' has no attribute '{name}'")
    return getattr(importlib.import_module(f"gglib.proxy.{_MODULES[name]}"), name)
