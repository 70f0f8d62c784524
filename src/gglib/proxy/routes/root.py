"""Serves ``/``: the page for browsers, and the text by which clients recognize an Ollama server."""

from gglib.proxy.errors import PageUnreadableError
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.operation_spec import HTML, TEXT, Access, OperationSpec
from gglib.proxy.web.routes import send_file

RUNNING = b"Ollama is running"


async def show_root(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the page to clients that accept HTML, if the server has one, else the text."""
    if services.options.has_page and b"text/html" in request.fields.get(b"accept", b"").lower():
        page = await services.page_reader.page()
        await send_file(request, response, page.index)
        return
    headers = [(b"content-type", TEXT.encode()), (b"vary", b"accept, accept-encoding")]
    await response.send_body(RUNNING, headers)


OPERATIONS = (
    Operation(
        OperationSpec(
            id="showRoot",
            method="GET",
            path="/",
            group="About",
            summary="Show the page",
            text="For clients that accept HTML; others get the text `Ollama is running`, as from Ollama's server.",
            access=Access.PUBLIC,
            media_type=HTML,
            errors=(PageUnreadableError,),
        ),
        show_root,
    ),
)
