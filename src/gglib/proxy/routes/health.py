"""Whether the proxy itself answers; it touches no port."""

from gglib.proxy.answer import Answer
from gglib.proxy.asgi import Request
from gglib.proxy.interrupt import Interruptible
from gglib.proxy.options import Services


async def show_health(request: Request, answer: Answer, services: Services, block: Interruptible) -> None:
    """``GET /health``: 200, always."""
    del request, services, block
    await answer.send_json({"status": "ok"})
