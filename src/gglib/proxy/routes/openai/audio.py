"""Serves OpenAI's transcriptions: the form goes to the engine of the model that it names, wherever the name stands."""

import asyncio

from gglib.http.headers import is_encoded
from gglib.proxy.dialects.transcriptions import read_transcription
from gglib.proxy.errors import ContentEncodingError
from gglib.proxy.forward import forward
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 1024 * 1024
"""Longer forms are searched for their parts in a thread, one at a time. The search runs at the speed of memchr."""


async def transcribe(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/audio/transcriptions``."""
    if is_encoded(request.fields.get(b"content-encoding", b"identity")):
        raise ContentEncodingError
    content_type = request.fields.get(b"content-type", b"")
    body = await request.read_body(limit_bytes=services.options.max_body_bytes)
    if len(body) <= _SHORT_BODY_BYTES:
        fields = read_transcription(body, content_type)
    else:
        async with services.large_body_lock:
            fields = await asyncio.to_thread(read_transcription, body, content_type)
    await forward(request, response, services, body, form_fields=fields)
