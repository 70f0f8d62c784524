"""Bodies are parsed leniently, with errors that name the field."""

import pytest

from gglib.proxy.dialects.ollama.requests import (
    ChatRequest,
    CreateRequest,
    NamedModel,
    is_absent,
    read_request,
)
from gglib.proxy.errors import BadRequestError


def test_unknown_fields_and_null_are_ignored() -> None:
    """As Ollama ignores them."""
    body = read_request(
        ChatRequest, b'{"model":"m","future":{},"messages":null,"stream":null,"format":null,"options":null}'
    )
    assert body == ChatRequest(model="m", format=body.format)
    assert is_absent(body.format)


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b"", "The request body is missing", None),
        (b" \n", "The request body is missing", None),
        (b"{", "is not valid JSON", None),
        (b"[]", "is not a valid request: Expected object, got array", None),
        (b"\xff", "is not valid JSON", None),
        (b'{"a":' * 5000, "is not valid JSON", None),
        (b'{"stream":"yes"}', "'stream' is not valid: Expected bool, got str", "stream"),
        (b'{"messages":[{"role":1}]}', r"'messages\[0\].role' is not valid", "messages[0].role"),
        (b'{"options":[1]}', "'options' is not valid: Expected object, got array", "options"),
        (b'{"keep_alive":[]}', "'keep_alive' is not valid", "keep_alive"),
    ],
)
def test_invalid_bodies(body: bytes, message: str, param: str | None) -> None:
    """One sentence, with the field."""
    with pytest.raises(BadRequestError, match=message) as refused:
        read_request(ChatRequest, body)
    assert refused.value.param == param


def test_the_name_of_a_model() -> None:
    """Older clients send ``name``."""
    assert read_request(NamedModel, b'{"name":"a"}').wanted == "a"
    assert read_request(NamedModel, b'{"name":"a","model":"b"}').wanted == "b"
    assert read_request(CreateRequest, b'{"model":"a","from":"b"}').from_ == "b"
    with pytest.raises(BadRequestError, match="'model' is required"):
        _ = read_request(NamedModel, b"{}").wanted
