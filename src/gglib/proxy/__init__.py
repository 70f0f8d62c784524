"""The OpenAI-compatible server. It knows core only: no processes, no database, no hub."""

from gglib.proxy.options import ProxyOptions
from gglib.proxy.server import serve

__all__ = ["ProxyOptions", "serve"]
