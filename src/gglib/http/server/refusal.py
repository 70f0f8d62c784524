"""Error responses that are sent before there is a request, in the default format. Pure."""

from gglib.http.errors import HttpError
from gglib.http.response_writer import ResponseWriter, encode_header_lines


def plain_refusal(error: HttpError, request_id: str, date_line: bytes, path: str) -> bytes:
    """Return a whole error response in plain text with ``Connection: close``."""
    del path
    return closing_response(
        error.status,
        [(b"content-type", b"text/plain; charset=utf-8")],
        f"{error}\n".encode(),
        request_id,
        date_line,
    )


def closing_response(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, request_id: str, date_line: bytes
) -> bytes:
    """Return a whole response with ``Connection: close``."""
    writer = ResponseWriter(method="", minor_version=1)
    head = writer.head(
        status,
        encode_header_lines([*headers, (b"x-request-id", request_id.encode())]),
        length=len(body),
        date_line=date_line,
        may_keep_alive=False,
        send_keep_alive=False,
    )
    return head + writer.part(body)
