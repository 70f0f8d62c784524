"""Encodes errors in Ollama's form: ``{"error": "text"}``, in a stream on a line of its own. Pure."""

from gglib.proxy.dialects.base import ErrorDialect
from gglib.proxy.errors import ErrorResponse, to_json

_LINE_FEED = b"\n"


class OllamaErrors(ErrorDialect):
    """``{"error": message}``. The official clients raise at this key, also in mid-stream."""

    def body(self, error_response: ErrorResponse, request_id: str) -> bytes:
        """Return Ollama's object."""
        del request_id
        return to_json({"error": error_response.message})

    def stream_end(self, error_response: ErrorResponse, request_id: str, tail: bytes) -> bytes:
        """Return one line of JSON, after the end of a line that broke off."""
        line_end = b"" if not tail or tail.endswith(_LINE_FEED) else _LINE_FEED
        return line_end + self.body(error_response, request_id) + _LINE_FEED


OLLAMA = OllamaErrors()
