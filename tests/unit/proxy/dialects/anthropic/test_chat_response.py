"""Chat completions as messages, whole and streamed."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.anthropic.chat_response import ChatExchange, chat_exchange

BODY = b'{"messages":[],"model":"m"}'
CALL = {"id": "t1", "type": "function", "function": {"name": "get", "arguments": '{"a": 1}'}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}
COUNTED = {"cache_read_input_tokens": 5, "input_tokens": 4, "output_tokens": 4}


def exchange() -> ChatExchange:
    """Return the exchange of a request."""
    found = chat_exchange(BODY)
    assert found is not None
    return found


def message_of(finish_reason: str = "stop", **said: object) -> dict[str, Any]:
    """Return the message of a completion."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **said}}
    completion = {"id": "c1", "model": "m", "choices": [choice], "usage": USAGE}
    found: dict[str, Any] = json.loads(exchange().translate_body(json.dumps(completion).encode()))
    return found


def test_the_request_goes_to_chat_completions() -> None:
    """With the translated body."""
    assert exchange().path == "/v1/chat/completions"
    assert json.loads(exchange().body) == {"model": "m", "messages": [], "max_tokens": 4096}


def test_a_message() -> None:
    """Cached tokens are counted separately."""
    assert message_of(content="hé") == {
        "id": "c1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "hé"}],
        "model": "m",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": COUNTED,
    }


def test_the_order_of_blocks() -> None:
    """Thinking, text, calls."""
    found = message_of("tool_calls", reasoning_content="hm", content="ok", tool_calls=[CALL])
    assert found["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "ok"},
        {"type": "tool_use", "id": "t1", "name": "get", "input": {"a": 1}},
    ]
    assert found["stop_reason"] == "tool_use"


def test_a_call_that_was_cut_off() -> None:
    """As the engine itself writes it."""
    cut = {**CALL, "function": {"name": "get", "arguments": '{"a": '}}
    found = message_of("length", content=None, tool_calls=[cut])
    assert found["content"] == [{"type": "tool_use", "id": "t1", "name": "get", "input": {}}]
    assert found["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": 1}]}'])
def test_another_body_raises(body: bytes) -> None:
    """The client gets an error of the upstream."""
    with pytest.raises(ValueError, match=r"."):
        exchange().translate_body(body)


def chunk(finish_reason: str | None = None, **delta: object) -> bytes:
    """Return one event of the engine."""
    choice = {"index": 0, "finish_reason": finish_reason, "delta": delta}
    return b"data: " + json.dumps({"id": "c1", "model": "m", "choices": [choice]}).encode() + b"\n\n"


def call_part(index: int, arguments: str, name: str | None = None) -> bytes:
    """Return an event with a part of a call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return chunk(tool_calls=[{"index": index, "id": f"t{index}", "function": function}])


END = b"data: " + json.dumps({"id": "c1", "model": "m", "choices": [], "usage": USAGE}).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


def events_of(*parts: bytes) -> list[dict[str, Any]]:
    """Return the data of the events that a stream becomes; their names are checked."""
    stream = exchange().open_stream()
    output = b""
    for part in parts:
        fed = stream.feed(part)
        assert fed.error is None
        output += fed.output
    rest = stream.finish()
    assert rest.error is None
    found: list[dict[str, Any]] = []
    for event in (output + rest.output).decode().split("\n\n")[:-1]:
        if event == ":":  # a heartbeat
            continue
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_stream_of_text() -> None:
    """Start, one block, end with the usage."""
    start, block, one, two, stop, delta, end = events_of(
        chunk(role="assistant", content=None),
        chunk(content="a"),
        chunk(content="é"),
        chunk("stop"),
        END,
        DONE,
    )
    assert start["message"]["id"] == "c1"
    assert start["message"]["content"] == []
    assert start["message"]["stop_reason"] is None
    assert block == {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert one == {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    assert two["delta"]["text"] == "é"
    assert stop == {"type": "content_block_stop", "index": 0}
    assert delta == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": COUNTED,
    }
    assert end == {"type": "message_stop"}


def test_blocks_are_open_one_at_a_time() -> None:
    """Thinking ends with a signature; each call is a block."""
    events = events_of(
        chunk(reasoning_content="hm"),
        chunk(content="ok"),
        call_part(0, "", "get"),
        call_part(0, '{"a":'),
        call_part(0, "1}"),
        call_part(1, "{}", "put"),
        chunk("tool_calls"),
        END,
    )
    shown = [(event["type"], event.get("index")) for event in events[1:-2]]
    start, part, stop = "content_block_start", "content_block_delta", "content_block_stop"
    assert shown == [
        *((start, 0), (part, 0), (part, 0), (stop, 0)),
        *((start, 1), (part, 1), (stop, 1)),
        *((start, 2), (part, 2), (part, 2), (stop, 2)),
        *((start, 3), (part, 3), (stop, 3)),
    ]
    assert events[3]["delta"] == {"type": "signature_delta", "signature": ""}
    assert events[8]["content_block"] == {"type": "tool_use", "id": "t0", "name": "get", "input": {}}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_an_empty_answer_has_no_block() -> None:
    """And no usage, if the engine sends none."""
    assert [event["type"] for event in events_of(chunk("length"))] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    assert events_of(chunk("length"))[1]["delta"]["stop_reason"] == "max_tokens"


def test_the_reason_of_the_end_stays() -> None:
    """A later chunk has none."""
    assert events_of(chunk("length"), chunk())[-2]["delta"]["stop_reason"] == "max_tokens"


def test_a_stream_that_breaks_off_is_an_error() -> None:
    """It has no reason of its end."""
    stream = exchange().open_stream()
    stream.feed(chunk(content="a"))
    assert stream.finish().error is not None


def test_an_error_of_the_engine_ends_the_stream() -> None:
    """What came before it is sent."""
    fed = (
        exchange().open_stream().feed(chunk(content="a") + b'data: {"error":{"code":500,"message":"m"}}\n\n')
    )
    assert b"text_delta" in fed.output
    assert fed.error is not None


STREAM = b"".join(
    (chunk(content='é "quoted"'), call_part(0, '{"a":"ü"}', "get"), chunk("tool_calls"), END, DONE)
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_a_stream_may_be_split_anywhere(cuts: list[int]) -> None:
    """Also inside of a character."""
    edges = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[start:end] for start, end in pairwise(edges)]
    assert events_of(*(part for part in parts if part)) == events_of(STREAM)
