"""Paths that browsers and clients request on their own: 404, without a key and without a line in the access log.

Browsers want icons, crawlers ``robots.txt``, and clients look for authorization servers below ``/.well-known``
(RFC 8615). An MCP client that gets another status than 404 there starts to authenticate.
"""

from gglib.proxy.access.public_paths import ODD_PATHS
from gglib.proxy.docs.routes import GROUP
from gglib.proxy.errors import JSON, UnknownPathError, to_error_response
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec


async def send_not_found(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the usual 404, which is not recorded as an error."""
    del services
    body = to_error_response(UnknownPathError(request.method, request.path)).body
    await response.send_body(body, [JSON], status=404)


def _operation(path: str, operation_id: str) -> Operation:
    return Operation(
        OperationSpec(
            id=operation_id,
            method="GET",
            path=path,
            group=GROUP,
            summary="Nothing: always 404",
            text="Browsers, crawlers and clients request it on their own.",
            access=Access.PUBLIC,
            path_parameters={"path": "Any path."} if "{path}" in path else {},
            may_have_slashes="{path}" in path,
            status=404,
        ),
        send_not_found,
    )


OPERATIONS = (
    *(_operation(path, f"oddPath{number}") for number, path in enumerate(ODD_PATHS, 1)),
    _operation("/.well-known/{path}", "wellKnown"),
)
