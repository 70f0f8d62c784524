"""The requests of a conversation, and the parsing of a streamed response."""

import pytest

from gglib.cli.chat.conversation import (
    ChatDelta,
    Conversation,
    error_message,
    read_deltas,
)
from gglib.core.errors import UpstreamError

ONE = b'data: {"choices":[{"delta":{"role":"assistant","content":"one "}}]}\n'
TWO = b'data: {"choices":[{"delta":{"content":"two"}}]}\n'
THOUGHT = b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n'
USAGE = b'data: {"choices":[],"usage":{}}\n'
DONE = b"data: [DONE]\n"
FAILED = (
    b'data: {"error":{"message":"The engine died.\\nits last line","type":"x","param":null,"code":null}}\n'
)


def ended(lines: list[bytes]) -> list[bytes]:
    """Return lines, each followed by the blank line that ends an event."""
    return [part for line in lines for part in (line, b"\n")]


def test_stream_gives_its_text() -> None:
    """Comments, blank lines, roles and usage are no text; reasoning is marked."""
    lines = [b":\n", b"\n", THOUGHT, b"\n", ONE, b"\n", TWO, USAGE, DONE]
    assert list(read_deltas(ended(lines))) == [
        ChatDelta("hm", is_reasoning=True),
        ChatDelta("one "),
        ChatDelta("two"),
    ]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([ONE, FAILED], "The engine died."),
        ([ONE, b'data: {"choi', b"\n", FAILED], "The engine died."),
        ([ONE, TWO], "The response ended prematurely."),
        ([], "The response ended prematurely."),
    ],
    ids=["error", "cut-event", "no-end", "nothing"],
)
def test_truncated_response_is_an_error_after_its_text(lines: list[bytes], sentence: str) -> None:
    """The received text is returned, then the reason is raised; a truncated response is never taken for complete."""
    pieces = read_deltas(ended(lines))
    if lines:
        assert next(pieces) == ChatDelta("one ")
    with pytest.raises(UpstreamError) as raised:
        list(pieces)
    assert str(raised.value) == sentence


def test_conversation_sends_answered_turns_only() -> None:
    """Each request carries the answered turns before it, and no failed one."""
    conversation = Conversation("m")
    conversation.add_prompt("first")
    conversation.add_answer("reply")
    conversation.add_prompt("lost")
    conversation.drop_prompt()
    body = conversation.add_prompt("second", num_ctx=99)
    assert [message["content"] for message in conversation.messages] == ["first", "reply", "second"]
    assert (body["model"], body["num_ctx"], body["stream"]) == ("m", 99, True)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"error":"text"}', b'{"error":{"message":1}}'])
def test_other_body_has_no_message(body: bytes) -> None:
    """A body that is not an OpenAI error is not shown as an error message."""
    assert error_message(body) is None
