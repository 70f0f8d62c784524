"""Reads requests' bodies, and processes long ones in a thread, one at a time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gglib.http.headers import is_encoded
from gglib.proxy.errors import ContentEncodingError
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest

Made = TypeVar("Made")


async def read_plain_body(request: ProxyRequest, limit_bytes: int) -> bytes:
    """Return the body. Raises ``ContentEncodingError`` before it is read if it is compressed."""
    encoding = request.head.fields.get(b"content-encoding")
    if encoding is not None and is_encoded(encoding):
        raise ContentEncodingError
    body = await request.read_body(limit_bytes=limit_bytes)
    if request.capture is not None:
        request.capture.set_request(body, request.head.fields.get(b"content-type"))
    return body


async def offloaded(
    services: Services, size_bytes: int, make: Callable[[], Made], *, short_bytes: int
) -> Made:
    """Return what ``make`` returns for a body of ``size_bytes``: in a thread, one at a time, above ``short_bytes``."""
    if size_bytes <= short_bytes:
        return make()
    async with services.large_body_lock:
        return await asyncio.to_thread(make)
