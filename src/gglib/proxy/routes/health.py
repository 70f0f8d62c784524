"""Whether the proxy itself answers; it touches no port."""

from gglib.proxy.answer import Answer
from gglib.proxy.options import Services
from gglib.proxy.request import Request


async def show_health(request: Request, answer: Answer, services: Services) -> None:
    """``GET /health``: 200, always."""
    del request, services
    await answer.send_json({"status": "ok"})
