"""The description of all that is served: for programs, and as a page for people."""

import asyncio
from collections.abc import Callable, Iterable
from functools import cache

import msgspec

from gglib.core.version import __version__
from gglib.proxy.docs.openapi import document
from gglib.proxy.docs.page import PAGE_HEADERS, page
from gglib.proxy.errors import JSON
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Call, Operation, operation
from gglib.proxy.routes.operation import HTML, Access, OperationSpec

GROUP = "About"

OperationSpecs = Callable[[], Iterable[OperationSpec]]
"""All that is served, these two included."""


def operations(specs: OperationSpecs) -> tuple[Operation, ...]:
    """Return what serves the document and the page of ``descriptions``.

    Both are the same for every request. They are made at the first one, in a thread: that takes tens of milliseconds.
    """

    @cache
    def document_body() -> bytes:
        return msgspec.json.encode(document(specs(), version=__version__))

    @cache
    def page_body() -> bytes:
        return page(document(specs(), version=__version__)).encode()

    async def show_document(call: Call[None, None], response: Response) -> None:
        del call
        await response.send_body(await asyncio.to_thread(document_body), [JSON])

    async def show_page(call: Call[None, None], response: Response) -> None:
        del call
        body = await asyncio.to_thread(page_body)
        await response.send_body(body, [(b"content-type", HTML.encode()), *PAGE_HEADERS])

    return (
        operation(
            show_document,
            OperationSpec(
                id="showOpenApi",
                method="GET",
                path="/openapi.json",
                group=GROUP,
                summary="Show this description as OpenAPI 3.1",
                access=Access.CLIENT,
                response=dict,
            ),
        ),
        operation(
            show_page,
            OperationSpec(
                id="showDocs",
                method="GET",
                path="/docs",
                group=GROUP,
                summary="Show this description as a page",
                access=Access.CLIENT,
                media_type=HTML,
            ),
        ),
    )
