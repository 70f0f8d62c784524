"""What a conversation sends, and what a stream of an answer means."""

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
    """Return lines with the blank one that ends an event behind each."""
    return [line for one in lines for line in (one, b"\n")]


def test_a_stream_is_its_pieces_of_text() -> None:
    """Comments, blank lines, roles and usage are no text; thoughts are marked."""
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
def test_an_answer_without_its_end_is_an_error_after_what_came(lines: list[bytes], sentence: str) -> None:
    """What arrived is handed on, then the reason is raised; an answer is never taken for whole that is not."""
    pieces = read_deltas(ended(lines))
    if lines:
        assert next(pieces) == ChatDelta("one ")
    with pytest.raises(UpstreamError) as raised:
        list(pieces)
    assert str(raised.value) == sentence


def test_a_conversation_sends_what_was_said_and_forgets_what_was_not_answered() -> None:
    """Each request carries the answered turns before it, and none that failed."""
    conversation = Conversation("m")
    conversation.add_prompt("first")
    conversation.add_answer("reply")
    conversation.add_prompt("lost")
    conversation.drop_prompt()
    body = conversation.add_prompt("second", num_ctx=99)
    assert [message["content"] for message in conversation.messages] == ["first", "reply", "second"]
    assert (body["model"], body["num_ctx"], body["stream"]) == ("m", 99, True)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"error":"text"}', b'{"error":{"message":1}}'])
def test_a_body_of_another_shape_has_no_sentence(body: bytes) -> None:
    """What is not an OpenAI error is not shown as one."""
    assert error_message(body) is None
