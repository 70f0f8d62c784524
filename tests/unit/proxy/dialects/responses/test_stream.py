"""Streams of the Responses dialect: complete events for every split of the engine's stream."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import responses as types
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.unit.proxy.dialects.responses.support import (
    DONE,
    ROLE,
    call_delta,
    chunk,
    ended,
    events_of,
    exchange,
    translated,
)

CUSTOM = {"type": "custom", "name": "patch"}
NAMESPACE = {
    "type": "namespace",
    "name": "agents",
    "description": "d",
    "tools": [{"type": "function", "name": "close"}],
}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TEXT_EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def stream(data: bytes, **fields: Any) -> list[dict[str, Any]]:
    """Return the events for an engine's stream; each is valid by OpenAI's types."""
    events = events_of(translated(exchange(stream=True, **fields).open_stream(), data))
    for event in events:
        EVENT.validate_python(event)
    return events


def test_a_text_has_all_events() -> None:
    """The response is complete in its first and last events; each text event locates its part."""
    events = stream(ended(chunk({"content": "ab"}), chunk({"content": "c"})))
    assert [event["type"] for event in events] == TEXT_EVENTS
    created, *_, item_done, completed = events
    assert created["response"]["output"] == []
    assert created["response"]["usage"] is None
    assert [event["delta"] for event in events[4:6]] == ["ab", "c"]
    assert all(event["item_id"] == item_done["item"]["id"] for event in events[3:8])
    response = completed["response"]
    assert response["output"] == [item_done["item"]]
    assert (response["status"], response["model"], response["created_at"]) == ("completed", "tiny", 7)
    assert response["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 3},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    assert list(response)[-1] == "usage", "the telemetry reads the end of the stream"


def test_a_token_limit_is_incomplete() -> None:
    """The last event, the response and the open item say so."""
    events = stream(ended(chunk({"content": "ab"}), finish_reason="length"))
    response = events[-1]["response"]
    assert (events[-1]["type"], response["status"]) == ("response.incomplete", "incomplete")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in response["output"]] == ["incomplete"]


def test_reasoning_then_text_then_calls() -> None:
    """Each item is complete before the next one begins; calls have their ids and names."""
    data = ended(
        chunk({"reasoning_content": "why"}),
        chunk({"content": "so"}),
        chunk(call_delta(0, "", name="get", id="c1")),
        chunk(call_delta(0, '{"a":')),
        chunk(call_delta(0, "1}")),
        chunk(call_delta(1, "{}", name="put", id="c2")),
        finish_reason="tool_calls",
    )
    events = stream(data, tools=[{"type": "function", "name": "get"}])
    output = events[-1]["response"]["output"]
    assert [(item["type"], item["status"]) for item in output] == [
        ("reasoning", "completed"),
        ("message", "completed"),
        ("function_call", "completed"),
        ("function_call", "completed"),
    ]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "why"}]
    assert [(c["call_id"], c["name"], c["arguments"]) for c in output[2:]] == [
        ("c1", "get", '{"a":1}'),
        ("c2", "put", "{}"),
    ]
    places = [event["output_index"] for event in events if "output_index" in event]
    assert places == sorted(places)
    assert len({item["id"] for item in output}) == 4


def test_custom_tools_and_namespaces_come_back() -> None:
    """The client gets its own names, and the input of a custom tool as text."""
    data = ended(
        chunk(call_delta(0, '{"input": "x\\u00e9', name="patch", id="c1")),
        chunk(call_delta(0, '\\n"}')),
        chunk(call_delta(1, "{}", name="agents__close", id="c2")),
    )
    events = stream(data, tools=[CUSTOM, NAMESPACE])
    custom, call = events[-1]["response"]["output"]
    assert (custom["type"], custom["name"], custom["input"]) == ("custom_tool_call", "patch", "xé\n")
    assert (call["name"], call["namespace"]) == ("close", "agents")
    deltas = [event for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    assert [delta["delta"] for delta in deltas] == ["xé\n"]


def test_a_custom_call_that_was_cut_keeps_its_text() -> None:
    """Incomplete arguments are shown as they are."""
    events = stream(
        ended(chunk(call_delta(0, '{"inp', name="patch", id="c")), finish_reason="length"), tools=[CUSTOM]
    )
    assert events[-1]["response"]["output"][0]["input"] == '{"inp'


def test_log_probabilities_are_those_of_the_text() -> None:
    """Each delta has those of its tokens, the complete text all of them."""
    token = {
        "id": 3,
        "token": "a",
        "bytes": [97],
        "logprob": -0.5,
        "top_logprobs": [{"token": "b", "logprob": -1.0}],
    }
    events = stream(
        ended(chunk({"content": "a"}, logprobs=[token]), chunk({"content": "a"}, logprobs=[token])),
        top_logprobs=1,
    )
    expected = {
        "token": "a",
        "bytes": [97],
        "logprob": -0.5,
        "top_logprobs": [{"token": "b", "bytes": [], "logprob": -1.0}],
    }
    assert [event["logprobs"] for event in events[4:6]] == [[expected], [expected]]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [expected, expected]


def test_an_empty_response_is_complete() -> None:
    """A model that says nothing has no items."""
    events = stream(ended())
    assert [event["type"] for event in events] == [*TEXT_EVENTS[:2], "response.completed"]


def test_a_stream_without_a_finish_reason_is_an_error() -> None:
    """A truncated response never looks complete."""
    translator = exchange(stream=True).open_stream()
    assert translator.feed(ROLE + chunk({"content": "a"})).error is None
    output, error = translator.finish()
    assert error is not None
    assert (output, error.status) == (b"", 502)


def test_an_error_event_ends_the_stream() -> None:
    """What came before it is translated."""
    error = (
        b'data: {"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}\n\n'
    )
    output, found = exchange(stream=True).open_stream().feed(ROLE + chunk({"content": "a"}) + error)
    assert found is not None
    assert (found.shown_code, b'"delta":"a"' in output) == ("context_length_exceeded", True)


def test_comments_and_other_events_are_heartbeats_or_nothing() -> None:
    """The engine's pings reach the client; events without choices do not confuse it."""
    translator = exchange(stream=True).open_stream()
    assert translator.feed(b":\n\n").output == b":\n\n"
    assert translator.feed(b"data: not json\n\n") == (b"", None)
    assert translator.feed(b"data: [1]\n\n") == (b"", None)


pieces = st.lists(
    st.one_of(
        st.builds(lambda text: {"content": text}, st.text(min_size=1)),
        st.builds(lambda text: {"reasoning_content": text}, st.text(min_size=1)),
    ),
    max_size=8,
)


@given(deltas=pieces, arguments=st.text(), size=st.integers(1, 40))
def test_every_split_has_the_same_result(deltas: list[dict[str, str]], arguments: str, size: int) -> None:
    """Items, texts and arguments do not depend on how the stream is split, for all of Unicode."""
    data = ended(*(chunk(delta) for delta in deltas), chunk(call_delta(0, arguments, name="f", id="c")))
    whole = translated(exchange(stream=True).open_stream(), data)
    assert translated(exchange(stream=True).open_stream(), data, size) == whole
    events = events_of(whole)
    for kind, field in (("output_text", "content"), ("reasoning_text", "reasoning_content")):
        deltas_sent = [event["delta"] for event in events if event["type"] == f"response.{kind}.delta"]
        assert deltas_sent == [delta[field] for delta in deltas if field in delta]
    assert events[-1]["response"]["output"][-1]["arguments"] == arguments
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]


@given(text=st.text())
def test_streams_and_whole_responses_have_the_same_output(text: str) -> None:
    """Both forms of one response agree in everything but the time."""
    fields: dict[str, Any] = {"tools": [CUSTOM], "top_logprobs": 0}
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "patch", "arguments": json.dumps({"input": text})},
    }
    message = {"role": "assistant", "content": text, "reasoning_content": f"r{text}", "tool_calls": [call]}
    chat = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "created": 7,
        "model": "tiny",
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    }
    whole = json.loads(exchange(**fields).translate_body(json.dumps(chat).encode()))
    types.Response.model_validate(whole)
    parts = [chunk({"reasoning_content": f"r{text}"}), *([chunk({"content": text})] if text else [])]
    parts.append(chunk(call_delta(0, call["function"]["arguments"], name="patch", id="c")))  # type: ignore[index]
    assert stream(ended(*parts), **fields)[-1]["response"] == whole


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b"[]"])
def test_a_body_without_a_choice_is_no_response(body: bytes) -> None:
    """It becomes an error of the engine."""
    with pytest.raises(ValueError, match="no choice"):
        exchange().translate_body(body)


def test_a_whole_response_at_the_token_limit_is_incomplete() -> None:
    """Only its last item is incomplete; without usage there is none."""
    message = {"content": "a", "reasoning_content": "b"}
    chat = {"choices": [{"message": message, "finish_reason": "length"}], "created": 7, "model": "tiny"}
    whole = json.loads(exchange().translate_body(json.dumps(chat).encode()))
    assert (whole["status"], whole["usage"]) == ("incomplete", None)
    assert [item["status"] for item in whole["output"]] == ["completed", "incomplete"]


def test_chunks_of_other_forms_add_nothing() -> None:
    """A choice without a delta, and a call without arguments."""
    data = ended(chunk(delta=3), chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}))  # type: ignore[arg-type]
    (call,) = stream(data)[-1]["response"]["output"]
    assert (call["name"], call["arguments"]) == ("f", "")


def test_a_whole_response_may_be_empty() -> None:
    """A model that says nothing has no items."""
    chat = {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}
    assert json.loads(exchange().translate_body(json.dumps(chat).encode()))["output"] == []


def test_the_form_of_other_messages() -> None:
    """Heartbeats are comments, whole responses are JSON."""
    made = exchange()
    assert (made.heartbeat(), made.body_headers()) == (b":\n\n", [(b"content-type", b"application/json")])


def test_usage_may_come_with_the_finish_reason() -> None:
    """Other servers send it there."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    events = stream(ROLE + chunk({"content": "a"}, finish_reason="stop", usage=usage) + DONE)
    assert events[-1]["response"]["usage"]["total_tokens"] == 2
