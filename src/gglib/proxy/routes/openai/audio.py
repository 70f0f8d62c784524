"""Serves OpenAI's transcriptions: the form goes to the engine of the model that it names, wherever the name stands."""

from functools import partial

from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.transcriptions import read_transcription
from gglib.proxy.forward import forward
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 1024 * 1024
"""Longer forms are searched for their parts in a thread, one at a time. The search runs at the speed of memchr."""


async def transcribe(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/audio/transcriptions``."""
    content_type = request.fields.get(b"content-type", b"")
    body = await read_plain_body(request, services.options.max_body_bytes)
    read = partial(read_transcription, body, content_type)
    fields = await offloaded(services, len(body), read, short_bytes=_SHORT_BODY_BYTES)
    await forward(request, response, services, body, form_fields=fields)
