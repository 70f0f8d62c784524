"""Serves OpenAI's embeddings: ordinary requests as they are, large ones in batches."""

import asyncio

from gglib.http.headers import is_encoded
from gglib.proxy.dialects.embeddings import EmbeddingsExchange, read_embeddings_request
from gglib.proxy.errors import ContentEncodingError
from gglib.proxy.forward import forward, forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 64 * 1024
"""Longer bodies are examined in a thread, one at a time."""


async def embed(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/embeddings``."""
    if is_encoded(request.fields.get(b"content-encoding", b"identity")):
        raise ContentEncodingError
    body = await request.read_body(limit_bytes=services.options.max_body_bytes)
    if len(body) <= _SHORT_BODY_BYTES:
        wanted = read_embeddings_request(body)
    else:
        async with services.large_body_lock:
            wanted = await asyncio.to_thread(read_embeddings_request, body)
    if wanted.needs_translation:
        exchange = EmbeddingsExchange(body, wanted.dimensions)
        await forward_exchange(request, response, services, exchange)
    else:
        await forward(request, response, services, body, "embedding")
