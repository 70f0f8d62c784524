"""Serves the OpenAPI document and its HTML page."""

import asyncio
from collections.abc import Callable, Iterable
from functools import cache

import msgspec

from gglib.core.version import __version__
from gglib.proxy.docs.openapi import document
from gglib.proxy.docs.page import PAGE_HEADERS, render_page
from gglib.proxy.errors import JSON
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Call, Operation, operation
from gglib.proxy.routes.operation_spec import HTML, Access, OperationSpec

GROUP = "About"

SpecSource = Callable[[], Iterable[OperationSpec]]
"""Returns the specs of all operations, including those of this module; called when the table is complete."""


def operations(get_specs: SpecSource) -> tuple[Operation, ...]:
    """Return the operations that serve the OpenAPI document and its page.

    Each is built once, at its first request, in a thread, because that takes tens of milliseconds.
    """

    @cache
    def document_body() -> bytes:
        return msgspec.json.encode(document(get_specs(), version=__version__))

    @cache
    def page_body() -> bytes:
        return render_page(document(get_specs(), version=__version__)).encode()

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
