"""Forwards rerank requests: as bytes in the engine's forms, else translated (``dialects.rerank``)."""

import asyncio

from gglib.http.headers import is_encoded
from gglib.proxy.dialects.rerank import ENGINE_PATH, RerankExchange, is_foreign, translate_rerank
from gglib.proxy.errors import ContentEncodingError
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
    if is_encoded(request.fields.get(b"content-encoding", b"identity")):
        raise ContentEncodingError
    body = await request.read_body(limit_bytes=services.options.max_body_bytes)
    if is_foreign(body):
        await forward_exchange(request, response, services, await _translated(body, services))
        return
    if request.path == COHERE_PATH:
        request.upstream_target = ENGINE_PATH.encode()
    await forward(request, response, services, body, "rerank")


async def _translated(body: bytes, services: Services) -> RerankExchange:
    if len(body) <= _SHORT_BODY_BYTES:
        return translate_rerank(body)
    async with services.large_body_lock:
        return await asyncio.to_thread(translate_rerank, body)
