"""The scripted engine's messages, in the form of llama-server's."""

import json
from typing import Any

import pytest

from gglib.testing.scripted_server import messages

CALL = messages.call_block("count", '{"what": "apples"}')
TEXT = messages.text_block("ab")


def data_of(part: bytes) -> list[dict[str, Any]]:
    """Return the data of the events in one part of a stream."""
    return [json.loads(event.partition(b"\ndata: ")[2]) for event in part.split(b"\n\n")[:-1]]


def test_a_message() -> None:
    """Its reason is that of its block."""
    for block, reason in ((TEXT, "end_turn"), (CALL, "tool_use")):
        message = json.loads(messages.message("m", block, tokens=2))
        assert (message["content"], message["stop_reason"]) == ([block], reason)
        assert message["usage"]["output_tokens"] == 2


def test_a_stream_has_a_part_for_each_piece() -> None:
    """The first one begins the message, too; the last one ends it."""
    first, second, last = messages.events("m", TEXT, ["a", "b"])
    assert [event["type"] for event in data_of(first)] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
    ]
    assert data_of(second)[0]["delta"] == {"type": "text_delta", "text": "b"}
    assert [event["type"] for event in data_of(last)] == [
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert data_of(last)[1]["usage"] == {"output_tokens": 2}


def test_a_streamed_call_has_no_input_in_its_start() -> None:
    """llama-server leaves it out."""
    first, _ = messages.events("m", CALL, ['{"what": "apples"}'])
    start, delta = data_of(first)[1:]
    assert start["content_block"] == {"type": "tool_use", "id": messages.CALL_ID, "name": "count"}
    assert delta["delta"] == {"type": "input_json_delta", "partial_json": '{"what": "apples"}'}
    assert len(messages.events("m", TEXT, [])) == 2


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{}]}, True),
        ({"tools": [{}], "messages": [{"content": "x"}, {"content": [{"type": "text"}]}]}, True),
        ({"tools": [{}], "messages": [{"content": [{"type": "tool_result"}]}]}, False),
    ],
)
def test_a_tool_is_called_once(request_: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """A request with a result gets text."""
    assert messages.wants_call(request_) is expected


def test_a_count() -> None:
    """As in the usage of a message."""
    assert json.loads(messages.token_count()) == {"input_tokens": messages.PROMPT_TOKENS}
