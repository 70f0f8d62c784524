"""Serves OpenAI's Responses API through the engine's chat completions."""

from functools import partial

from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.responses.exchange import InputTokensExchange, ResponsesExchange
from gglib.proxy.envelope import read_envelope
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
    body = await read_plain_body(request, options.max_body_bytes)
    read = partial(_read, kind, body, request.id, options)
    exchange = await offloaded(services, len(body), read, short_bytes=_SHORT_BODY_BYTES)
    await forward_exchange(request, response, services, exchange)


def _read(
    kind: type[ResponsesExchange], body: bytes, request_id: str, options: ProxyOptions
) -> ResponsesExchange:
    """Check the client's fields, so that errors name them, and translate; the result is checked again."""
    read_envelope(
        body, allowed_engine_fields=options.allowed_engine_fields, schema_limits=options.schema_limits
    )
    return kind.read(body, request_id)
