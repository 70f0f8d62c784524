"""Whether the proxy itself answers; it touches no port."""

from gglib.proxy.answer import Answer
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest


async def show_health(request: ProxyRequest, answer: Answer, services: Services) -> None:
    """``GET /health``: 200, always."""
    del request, services
    await answer.send_json({"status": "ok"})
