"""The proxy as an ASGI program: finds the handler, tells errors, logs one line a request.

It knows no server: ``server.py`` puts it on a socket.
"""

import asyncio
import logging

from gglib.core.errors import GglibError, ShuttingDownError
from gglib.proxy.answer import Answer
from gglib.proxy.asgi import ClientLeftError, Receive, Request, Scope, Send
from gglib.proxy.interrupt import Interruptible
from gglib.proxy.options import Services
from gglib.proxy.routes.table import find_handler

access_log = logging.getLogger("gglib.access")
log = logging.getLogger("gglib.proxy")

CLIENT_CLOSED_REQUEST = 499
"""What the access log says of a client that left before it was answered; no client ever sees it."""


class ProxyApp:
    """The ASGI callable. ``stop`` ends every request that is open, and every one that still comes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open: set[Interruptible] = set()
        self._is_stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        answer = Answer(send, request_id=request.id, may_keep_alive=request.may_keep_alive)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            await self._handle(request, answer)
        except ClientLeftError:
            answer.status = answer.status or CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001 - the border: whatever it is, the client is told
            _log_error(request, error)
            await answer.fail(error)
        finally:
            _log_access(request, answer, duration_s=loop.time() - started_s)

    def stop(self) -> None:
        """End what is open with ``ShuttingDownError``, and refuse what comes."""
        self._is_stopping = True
        for block in list(self._open):
            block.end_with(ShuttingDownError())

    async def _handle(self, request: Request, answer: Answer) -> None:
        if self._is_stopping:
            raise ShuttingDownError
        handler = find_handler(request)
        with Interruptible() as block:
            self._open.add(block)
            try:
                await handler(request, answer, self._services, block)
            finally:
                self._open.discard(block)


def _log_error(request: Request, error: Exception) -> None:
    """Log what the operator should know; what the client did wrong is in its answer."""
    if not isinstance(error, GglibError):
        log.error("%s: internal error", request.id, exc_info=error)
    elif error.blame.value != "client" and not isinstance(error, ShuttingDownError):
        log.warning("%s: %s", request.id, error)


def _log_access(request: Request, answer: Answer, *, duration_s: float) -> None:
    access_log.info(
        "%s %s model=%s status=%s duration_ms=%.1f request_id=%s",
        request.method,
        request.raw_path,
        request.model or "-",
        answer.status or "-",
        duration_s * 1000,
        request.id,
    )
