"""What becomes of a request: finds the handler, tells errors, logs one line.

It knows no sockets: ``server.py`` puts it behind the edge.
"""

import asyncio
import logging

from gglib.core.errors import GglibError, ShuttingDownError
from gglib.proxy.answer import Answer
from gglib.proxy.edge.errors import EdgeError
from gglib.proxy.edge.wire import Wire
from gglib.proxy.errors import describe
from gglib.proxy.options import Services
from gglib.proxy.request import ClientLeftError, Request
from gglib.proxy.routes.table import find_handler

access_log = logging.getLogger("gglib.access")
log = logging.getLogger("gglib.proxy")

CLIENT_CLOSED_REQUEST = 499
"""What the access log says of a client that left before it was answered; no client ever sees it."""


class ProxyApp:
    """Answers requests. ``stop`` ends every one that is open, and every one that still comes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open: set[Request] = set()
        self._is_stopping = False

    async def handle(self, request: Request, wire: Wire) -> None:
        """Answer one request."""
        answer = Answer(
            wire, method=request.method, minor_version=request.minor_version, request_id=request.id
        )
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
        for request in list(self._open):
            request.block.end_with(ShuttingDownError())

    def note_refusal(self, error: EdgeError) -> None:
        """Log what the edge refused before it was a request."""
        access_log.info("- - model=- status=%s refused: %s", describe(error).status, error)

    async def _handle(self, request: Request, answer: Answer) -> None:
        if self._is_stopping:
            raise ShuttingDownError
        handler = find_handler(request)
        self._open.add(request)
        try:
            with request.block:
                if request.has_left:  # before this began
                    raise ClientLeftError
                await handler(request, answer, self._services)
        finally:
            self._open.discard(request)


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
        request.path,
        request.model or "-",
        answer.status or "-",
        duration_s * 1000,
        request.id,
    )
