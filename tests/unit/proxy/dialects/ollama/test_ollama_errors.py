"""Errors in Ollama's form."""

import json

from gglib.core.errors import ModelNotFoundError
from gglib.proxy.dialects.ollama.errors import OLLAMA
from gglib.proxy.errors import to_error_response

ERROR = to_error_response(ModelNotFoundError("x"))


def test_a_complete_response() -> None:
    """One object with the text."""
    assert json.loads(OLLAMA.body(ERROR, "req")) == {"error": ERROR.message}
    assert OLLAMA.request_id_header == b""


def test_the_end_of_a_stream() -> None:
    """A line of its own, also after a line that broke off."""
    line = OLLAMA.body(ERROR, "req") + b"\n"
    assert OLLAMA.stream_end(ERROR, "req", b"") == line
    assert OLLAMA.stream_end(ERROR, "req", b'{"done":false}\n') == line
    assert OLLAMA.stream_end(ERROR, "req", b'{"done":fal') == b"\n" + line
