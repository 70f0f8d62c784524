"""The conversation of a request."""

import json

import pytest

from gglib.proxy.cluster.conversation import MAX_READ_BYTES, conversation_key

SYSTEM = {"role": "system", "content": "Be brief."}
HELLO = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Hi"}


def body(*messages: object, **fields: object) -> bytes:
    """Return a chat."""
    return json.dumps({"model": "m", "messages": messages} | fields).encode()


def test_later_messages_do_not_change_the_key() -> None:
    """Nor do other fields."""
    first = conversation_key(body(SYSTEM, HELLO))
    assert first is not None
    assert conversation_key(body(SYSTEM, HELLO, ANSWER, {"role": "user", "content": "Why?"})) == first
    assert conversation_key(body(SYSTEM, HELLO, temperature=0.5)) == first


def test_another_beginning_is_another_conversation() -> None:
    """Of the system's or of the user's words."""
    keys = {
        conversation_key(body(HELLO)),
        conversation_key(body(SYSTEM, HELLO)),
        conversation_key(body(ANSWER, HELLO)),
    }
    assert len(keys) == 3


@pytest.mark.parametrize(
    "text",
    [
        b"no JSON",
        b"[]",
        b'{"prompt": "Hello"}',
        b'{"messages": 3}',
        b'{"messages": [3]}',
        b'{"messages": [{"role": "system"}]}',
        b'{"messages": [{"role": 3}]}',
        body({"role": "user", "content": "x" * MAX_READ_BYTES}),
        b'{"prompt": "' + b"x" * MAX_READ_BYTES + b'"}',
        b'{"messages": [' + b"[" * MAX_READ_BYTES,
        b'{"messages": ["' + b"x" * MAX_READ_BYTES,
        b'{"messages": [3' + b" " * MAX_READ_BYTES,
    ],
)
def test_what_is_no_chat_has_no_conversation(text: bytes) -> None:
    """Also one whose beginning is too long to be read."""
    assert conversation_key(text) is None


@pytest.mark.parametrize("ensure_ascii", [False, True])
def test_a_conversation_that_grows_long_keeps_its_key(*, ensure_ascii: bool) -> None:
    """Only the beginning of its body is read; a character may be cut off there."""
    first = [SYSTEM, {"role": "user", "content": 'Grüße \U0001f600 "quoted"'}]
    long = {"role": "assistant", "content": "ü" * MAX_READ_BYTES}

    def chat(*messages: object) -> bytes:
        return json.dumps({"model": "m", "messages": messages}, ensure_ascii=ensure_ascii).encode()

    key = conversation_key(chat(*first))
    assert key is not None
    for padding in range(4):
        assert conversation_key(chat(*first, {"role": "x" * padding}, long)) == key
    spaced = chat(*first, long).replace(b'"messages": [', b'"messages" : [ ').replace(b"}, {", b"} , {")
    assert conversation_key(spaced) == key
