"""A dialect for tests: each event ``{"n": 1}`` becomes a line ``1``, and the stream ends with ``end``."""

import json

from gglib.http.headers import Headers
from gglib.proxy.dialects.base import ErrorDialect, Exchange
from gglib.proxy.dialects.event_translator import EventTranslator
from gglib.proxy.errors import ErrorResponse

STREAM_HEADERS: Headers = [(b"content-type", b"text/numbers")]


class NumberLines(EventTranslator):
    """The stream; the engine's last event is ``{"last": true}``."""

    def __init__(self) -> None:
        super().__init__()
        self._is_complete = False

    @property
    def is_complete(self) -> bool:
        """Whether the last event was seen."""
        return self._is_complete

    def translate(self, name: str, content: dict[str, object]) -> bytes:
        """Return a line for a number."""
        del name
        self._is_complete = content.get("last") is True
        return f"{content['n']}\n".encode() if "n" in content else b""

    def end(self) -> bytes:
        """Return the last line."""
        return b"end\n"

    def heartbeat(self) -> bytes:
        """Return an empty line."""
        return b"\n"


class NumbersExchange(Exchange):
    """A request of the dialect."""

    stream_headers = STREAM_HEADERS

    def heartbeat(self) -> bytes:
        """Return an empty line."""
        return b"\n"

    def open_stream(self) -> NumberLines:
        """Return the translator."""
        return NumberLines()

    def translate_body(self, body: bytes) -> bytes:
        """Return the number of ``{"n": 1}``."""
        return str(json.loads(body)["n"]).encode()

    def body_headers(self) -> Headers:
        """Return the type of a number."""
        return [(b"content-type", b"text/number")]


class NumberErrors(ErrorDialect):
    """Errors as a line."""

    def body(self, error_response: ErrorResponse, request_id: str) -> bytes:
        """Return the message."""
        del request_id
        return error_response.message.encode()

    def stream_end(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return the message as a line of its own."""
        line_end = b"" if tail.endswith(b"\n") else b"\n"
        return line_end + self.body(error_response, request_id) + b"\n"
