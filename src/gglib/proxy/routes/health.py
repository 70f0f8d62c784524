"""Health check of the proxy alone: it depends on no model, runtime or catalogue."""

from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.responses import Health


async def show_health(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /health``: always 200."""
    del request, services
    await response.send(Health())
