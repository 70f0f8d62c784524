"""Serves OpenAI's completions: as they are, unless they have a suffix."""

from time import time

from gglib.proxy.bodies import read_plain_body
from gglib.proxy.dialects.infill import InfillExchange, has_suffix
from gglib.proxy.envelope import read_envelope
from gglib.proxy.forward import forward, forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response


async def complete(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/completions``."""
    options = services.options
    body = await read_plain_body(request, options.max_body_bytes)
    if not has_suffix(body):
        await forward(request, response, services, body)
        return
    read_envelope(
        body, allowed_engine_fields=options.allowed_engine_fields, schema_limits=options.schema_limits
    )
    await forward_exchange(request, response, services, InfillExchange(body, request.id, int(time())))
