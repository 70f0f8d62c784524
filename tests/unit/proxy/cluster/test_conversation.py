"""The conversation of a request."""

import json

import pytest

from gglib.proxy.cluster.conversation import MAX_BODY_BYTES, conversation_key

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
        body(HELLO) + b" " * MAX_BODY_BYTES,
    ],
)
def test_what_is_no_chat_has_no_conversation(text: bytes) -> None:
    """Also a body that is too long to be read for it."""
    assert conversation_key(text) is None
