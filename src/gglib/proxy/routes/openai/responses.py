"""Serves OpenAI's Responses API through the engine's chat completions."""

import asyncio

from gglib.http.headers import is_encoded
from gglib.proxy.dialects.responses.exchange import InputTokensExchange, ResponsesExchange
from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import ContentEncodingError
from gglib.proxy.forward import forward_exchange
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 64 * 1024
"""Longer bodies are translated in a thread, one at a time."""


async def respond(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/responses``."""
    await _exchange(ResponsesExchange, request, response, services)


async def count_input_tokens(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/responses/input_tokens``."""
    await _exchange(InputTokensExchange, request, response, services)


async def _exchange(
    kind: type[ResponsesExchange], request: ProxyRequest, response: Response, services: Services
) -> None:
    options = services.options
    if is_encoded(request.fields.get(b"content-encoding", b"identity")):
        raise ContentEncodingError
    body = await request.read_body(limit_bytes=options.max_body_bytes)
    if len(body) <= _SHORT_BODY_BYTES:
        exchange = _read(kind, body, request.id, options)
    else:
        async with services.large_body_lock:
            exchange = await asyncio.to_thread(_read, kind, body, request.id, options)
    await forward_exchange(request, response, services, exchange)


def _read(
    kind: type[ResponsesExchange], body: bytes, request_id: str, options: ProxyOptions
) -> ResponsesExchange:
    """Check the client's fields, so that errors name them, and translate; the result is checked again."""
    read_envelope(
        body, allowed_engine_fields=options.allowed_engine_fields, schema_limits=options.schema_limits
    )
    return kind.read(body, request_id)
