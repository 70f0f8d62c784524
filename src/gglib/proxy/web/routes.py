"""Serves the files of the page."""

from gglib.http.negotiation import accepts_gzip, matches_etag
from gglib.proxy.access.public_paths import PAGE_FILES
from gglib.proxy.docs.routes import GROUP
from gglib.proxy.errors import PageFileNotFoundError, PageUnreadableError, UnknownPathError
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.web.files import PageFile

_GZIP_LINE = b"content-encoding: gzip\r\n"
_ANY_TYPE = "*/*"


async def send_file(request: ProxyRequest, response: Response, file: PageFile) -> None:
    """Send a file, compressed to clients that accept gzip; 304 to those that have it."""
    fields = request.fields
    if matches_etag(fields.get(b"if-none-match", b""), file.etag):
        await response.start_with(304, file.header_lines, length=None, is_stream=False, is_last=True)
        return
    body, lines = file.content, file.header_lines + file.type_line
    if file.gzipped is not None and accepts_gzip(fields.get(b"accept-encoding", b"")):
        body, lines = file.gzipped, lines + _GZIP_LINE
    await response.start_with(200, lines, length=len(body), is_stream=False, part=body, is_last=True)


async def show_file(call: Call[None, None], response: Response) -> None:
    """``GET /web/{revision}/{path}``. Raises ``PageFileNotFoundError``, ``PageUnreadableError``.

    Raises ``UnknownPathError`` without a page.
    """
    request = call.request
    if not call.services.options.has_page:
        raise UnknownPathError(request.method, request.path, request.fields.get(b"host"), request.scheme)
    page = await call.services.page_reader.page()
    file = page.files.get(call.path["path"])
    if file is None or call.path["revision"] != page.revision:
        raise PageFileNotFoundError
    await send_file(request, response, file)


OPERATIONS = (
    operation(
        show_file,
        OperationSpec(
            id="showPageFile",
            method="GET",
            path=PAGE_FILES + "{revision}/{path}",
            group=GROUP,
            summary="Get a file of the page",
            text="A module, style sheet or image of the page at `/`, which has the URLs. They change with the version "
            "of gglib, so browsers keep the files.",
            access=Access.PUBLIC,
            path_parameters={"revision": "The revision of the page.", "path": "The path of the file."},
            may_have_slashes=True,
            media_type=_ANY_TYPE,
            errors=(PageFileNotFoundError, PageUnreadableError),
        ),
    ),
)
