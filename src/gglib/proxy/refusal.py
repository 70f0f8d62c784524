"""The response to input refused before it is a request, in the dialect of its path. Pure."""

from gglib.http.errors import HttpError
from gglib.http.server.refusal import closing_response
from gglib.proxy.dialects.errors import dialect_of
from gglib.proxy.errors import to_error_response


def refusal(error: HttpError, request_id: str, date_line: bytes, path: str) -> bytes:
    """Return the complete response; the connection closes after it."""
    error_response = to_error_response(error)
    dialect = dialect_of(path)
    headers = [*error_response.all_headers(), *dialect.headers(request_id)]
    return closing_response(
        error_response.status, headers, dialect.body(error_response, request_id), request_id, date_line
    )
