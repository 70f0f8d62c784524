"""Serves ``/``: a page with links for browsers, and the text by which clients recognize an Ollama server."""

from gglib.proxy.docs.page import PAGE_HEADERS
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.operation_spec import HTML, TEXT, Access, OperationSpec

RUNNING = b"Ollama is running"
_LINKS = (
    ("/docs", "All paths of this server"),
    ("/openapi.json", "The same as OpenAPI"),
    ("/v1/models", "The models"),
    ("/gglib/status", "Models in memory, and waiting requests"),
)
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>gglib</title></head><body><h1>gglib</h1><ul>'
    + "".join(f'<li><a href="{path}">{text}</a></li>' for path, text in _LINKS)
    + "</ul></body></html>\n"
).encode()


async def show_root(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the page to clients that accept HTML, if the server has one, else the text."""
    if services.options.has_page and b"text/html" in request.fields.get(b"accept", b"").lower():
        await response.send_body(
            _PAGE, [(b"content-type", HTML.encode()), *PAGE_HEADERS, (b"vary", b"accept")]
        )
        return
    await response.send_body(RUNNING, [(b"content-type", TEXT.encode()), (b"vary", b"accept")])


OPERATIONS = (
    Operation(
        OperationSpec(
            id="showRoot",
            method="GET",
            path="/",
            group="About",
            summary="Show a page with links",
            text="For clients that accept HTML; others get the text `Ollama is running`, as from Ollama's server.",
            access=Access.PUBLIC,
            media_type=HTML,
        ),
        show_root,
    ),
)
