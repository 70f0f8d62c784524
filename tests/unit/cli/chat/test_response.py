"""The parsing of a streamed response."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gglib.cli.chat.response import ChatDelta, ChatStream, error_message
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


def event(**fields: Any) -> bytes:
    """Return the line of an event."""
    return b"data: " + json.dumps(fields).encode() + b"\n"


def test_stream_gives_its_text() -> None:
    """Comments, blank lines, roles and usage are no text; reasoning is marked."""
    lines = [b":\n", b"\n", THOUGHT, b"\n", ONE, b"\n", TWO, USAGE, DONE]
    assert list(ChatStream(ended(lines))) == [
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
    pieces = ChatStream(ended(lines))
    if lines:
        assert next(pieces) == ChatDelta("one ")
    with pytest.raises(UpstreamError) as raised:
        list(pieces)
    assert str(raised.value) == sentence


def test_a_stream_is_read_beyond_its_last_event() -> None:
    """To the end of the body: otherwise the server may see a client that left before the end."""
    lines = iter(ended([ONE, DONE, b": a comment\n"]))
    assert list(ChatStream(lines)) == [ChatDelta("one ")]
    assert next(lines, None) is None


def test_a_connection_that_is_lost_after_the_last_event_spoils_nothing() -> None:
    """The response is complete."""

    def lost() -> Iterator[bytes]:
        yield from ended([ONE, DONE])
        raise UpstreamError("lost")

    assert list(ChatStream(lost())) == [ChatDelta("one ")]


def test_the_end_of_a_stream_has_its_reason_usage_and_timings() -> None:
    """They come in different events: the reason with an empty delta, the rest in an event without choices."""
    usage = {"prompt_tokens": 36, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 24}}
    stream = ChatStream(
        ended(
            [
                ONE,
                event(choices=[{"finish_reason": None, "delta": {"content": "a"}}]),
                event(choices=[{"finish_reason": "length", "delta": {}}]),
                event(choices=[], usage=usage, timings={"predicted_per_second": 12.5}),
                DONE,
            ]
        )
    )
    assert len(list(stream)) == 2
    assert stream.end.finish_reason == "length"
    assert (stream.end.count("completion_tokens"), stream.end.cached_tokens) == (5, 24)
    assert stream.end.timings == {"predicted_per_second": 12.5}


@pytest.mark.parametrize(
    "odd",
    [
        event(choices={}, usage=[], timings=3),
        event(choices=[None, 3, {"delta": []}, {"delta": {"content": 1}, "finish_reason": 4}]),
        b"data: [1]\n",
        b'data: "text"\n',
    ],
)
def test_odd_events_are_no_text(odd: bytes) -> None:
    """Events of another form are ignored; a count that is no number is unknown."""
    stream = ChatStream(ended([odd, event(choices=[], usage={"total_tokens": "7"}), DONE]))
    assert list(stream) == []
    assert stream.end.finish_reason is None
    assert stream.end.count("total_tokens") is None
    assert stream.end.cached_tokens is None


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"error":"text"}', b'{"error":{"message":1}}'])
def test_other_body_has_no_message(body: bytes) -> None:
    """A body that is not an OpenAI error is not shown as an error message."""
    assert error_message(body) is None
