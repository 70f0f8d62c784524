"""The OpenAI-compatible server. It knows core only: no processes, no database, no hub."""

from gglib.proxy.guards.engine_fields import GUARDED_FIELDS, SchemaLimits
from gglib.proxy.options import ProxyOptions
from gglib.proxy.serve import serve

__all__ = ["GUARDED_FIELDS", "ProxyOptions", "SchemaLimits", "serve"]
