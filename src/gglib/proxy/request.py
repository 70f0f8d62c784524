"""The request object of the handlers: the HTTP request and what the proxy learns about it."""

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.http.server.request import Request


class ProxyRequest(Request):
    """One request. Defaults are class attributes, so that unset ones cost nothing per request."""

    target: bytes = b""
    """Path and query for the engine."""
    upstream_lines: bytes = b""
    """Header lines that are forwarded to the engine."""
    preferred_wait_s: int | None = None
    """The client's ``Prefer: wait``, in seconds; None without one."""
    key_name: str | None = None
    """Name of the API key that the request carries; None if none was needed."""
    model: str | None = None
    """Catalogue name of the requested model; None until it is resolved."""
    spec: ModelLaunchSpec | None = None
    """Launch spec of the model; None until it is resolved, and for runtimes that launch nothing."""
    running: RunningTarget | None = None
    """The target that serves the request; None before admission."""
    waited_s: float | None = None
    """Wait for the model in seconds; None before admission."""
