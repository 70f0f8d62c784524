"""Serves OpenAI's forms with sound or images. The name of the model may stand anywhere in them."""

from functools import partial

from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.media_forms import MediaForm, read_fields
from gglib.proxy.forward import forward
from gglib.proxy.names.candidates import kind_of
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 1024 * 1024
"""Longer forms are searched for their parts in a thread, one at a time. The search runs at the speed of memchr."""


async def forward_form(
    request: ProxyRequest, response: Response, services: Services, *, form: MediaForm
) -> None:
    """Forward a form, such as that of ``POST /v1/audio/transcriptions``."""
    content_type = request.fields.get(b"content-type", b"")
    body = await read_plain_body(request, services.options.max_body_bytes)
    read = partial(read_fields, form, body, content_type)
    fields = await offloaded(services, len(body), read, short_bytes=_SHORT_BODY_BYTES)
    await forward(request, response, services, body, kind_of(request.path), form_fields=fields)
