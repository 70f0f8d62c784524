"""Input that is refused before it is a request gets a complete response in the dialect of its path."""

import json

import pytest

from gglib.http.errors import HeadTooLargeError, HttpError, TooManyBodiesError
from gglib.proxy.dialects.errors import dialect_of
from gglib.proxy.errors import to_error_response
from gglib.proxy.refusal import format_refusal

DATE = b"date: Sun, 29 Nov 2026 00:00:00 GMT\r\n"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "", "*"])
@pytest.mark.parametrize("error", [HeadTooLargeError("Too many headers."), TooManyBodiesError()])
def test_the_response_is_complete_and_closes_the_connection(path: str, error: HttpError) -> None:
    """Status, date, request id, the headers of the error and a body of the declared length."""
    head, _, body = format_refusal(error, "r-1", DATE, path).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    error_response = to_error_response(error)
    assert lines[0].startswith(b"HTTP/1.1 %d " % error.status)
    assert body == dialect_of(path).body(error_response, "r-1")
    assert json.loads(body)["error"]["message"] == error_response.message
    assert set(lines[1:]) == {
        DATE.rstrip(),
        b"connection: close",
        b"content-length: %d" % len(body),
        b"x-request-id: r-1",
        *(b"%b: %b" % header for header in error_response.all_headers()),
        *([b"request-id: r-1"] if path == "/v1/messages" else []),
    }
