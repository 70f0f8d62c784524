"""Reads the bodies of Ollama's requests. Large ones, with images, are parsed in a thread, one at a time."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from gglib.proxy import bodies
from gglib.proxy.dialects.ollama.requests import read_request
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest

_SHORT_BODY_BYTES = 32 * 1024
"""Parsing a longer body takes a millisecond or more."""

Body = TypeVar("Body", bound=Struct)
Made = TypeVar("Made")


async def read_body(request: ProxyRequest, services: Services, type_: type[Body]) -> tuple[Body, int]:
    """Return the parsed body and its size in bytes.

    Raises ``BadRequestError``, which names the field, or ``ContentEncodingError``.
    """
    body = await bodies.read_plain_body(request, services.options.max_body_bytes)
    return await offloaded(services, len(body), lambda: read_request(type_, body)), len(body)


async def offloaded(services: Services, size_bytes: int, make: Callable[[], Made]) -> Made:
    """Return what ``make`` returns for a body of ``size_bytes``: in a thread, one at a time, if it is long."""
    return await bodies.offloaded(services, size_bytes, make, short_bytes=_SHORT_BODY_BYTES)
