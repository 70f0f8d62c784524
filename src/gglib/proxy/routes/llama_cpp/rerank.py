"""Forwards rerank requests: as bytes in the engine's forms, else translated (``dialects.rerank``)."""

from functools import partial

from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.rerank import ENGINE_PATH, is_foreign, translate_rerank
from gglib.proxy.forward import forward, forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

COHERE_PATH = "/v2/rerank"
"""Not a path of the engine."""
_SHORT_BODY_BYTES = 32 * 1024
"""Longer bodies are translated in a thread."""


async def rerank(request: ProxyRequest, response: Response, services: Services) -> None:
    """Rank texts by relevance to a query, on every spelling of the path."""
    body = await read_plain_body(request, services.options.max_body_bytes)
    if is_foreign(body):
        translate = partial(translate_rerank, body)
        exchange = await offloaded(services, len(body), translate, short_bytes=_SHORT_BODY_BYTES)
        await forward_exchange(request, response, services, exchange)
        return
    # llama.cpp treats all spellings of the path alike; other servers know this one.
    _, mark, query = request.upstream_target.partition(b"?")
    request.upstream_target = ENGINE_PATH.encode() + mark + query
    await forward(request, response, services, body, "rerank")
