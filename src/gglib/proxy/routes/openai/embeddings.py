"""Serves OpenAI's embeddings: ordinary requests as they are, large ones in batches."""

from functools import partial

from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.embeddings import EmbeddingsExchange, read_embeddings_request
from gglib.proxy.forward import forward, forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 64 * 1024
"""Longer bodies are examined in a thread, one at a time."""


async def embed(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/embeddings``."""
    body = await read_plain_body(request, services.options.max_body_bytes)
    read = partial(read_embeddings_request, body)
    wanted = await offloaded(services, len(body), read, short_bytes=_SHORT_BODY_BYTES)
    if wanted.needs_translation:
        exchange = EmbeddingsExchange(body, wanted.dimensions)
        await forward_exchange(request, response, services, exchange)
    else:
        await forward(request, response, services, body, "embedding")
