"""Readiness check for load balancers and service managers. It depends on no runtime and no catalogue."""

from gglib.proxy.options import Services
from gglib.proxy.readiness import ReadyState
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.responses import Ready

_HEADERS = ((b"cache-control", b"no-store"),)
"""The state changes: a cache in front of the server must not keep it."""


async def show_ready(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /ready``: 200 if the server is ready, else 503."""
    del request
    state = services.readiness.state
    status = 200 if state is ReadyState.READY else 503
    await response.send(Ready(status=state.value), status=status, headers=_HEADERS)
