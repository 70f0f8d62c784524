"""Formats the response to a connection or request that the HTTP server refuses, in the dialect of its path. Pure."""

from gglib.http.errors import HttpError
from gglib.http.server.refusal import closing_response
from gglib.proxy.dialects.errors import dialect_of
from gglib.proxy.errors import to_error_response


def format_refusal(error: HttpError, request_id: str, date_line: bytes, path: str) -> bytes:
    """Return the complete response, for ``Listener``; the connection closes after it. ``path`` is empty if unknown."""
    error_response = to_error_response(error)
    dialect = dialect_of(path)
    headers = error_response.all_headers()
    if dialect.request_id_header:
        headers.append((dialect.request_id_header, request_id.encode()))
    return closing_response(
        error_response.status, headers, dialect.body(error_response, request_id), request_id, date_line
    )
