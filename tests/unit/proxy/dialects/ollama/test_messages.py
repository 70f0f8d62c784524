"""Messages become OpenAI's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.ollama.images import data_url
from gglib.proxy.dialects.ollama.messages import openai_messages
from gglib.proxy.dialects.ollama.requests import ChatRequest, read_request
from gglib.proxy.errors import BadRequestError


def translated(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Return messages, translated as a request has them."""
    return openai_messages(
        read_request(ChatRequest, json.dumps({"messages": messages}).encode()).messages or ()
    )


def call(name: str, arguments: Any, **members: Any) -> dict[str, Any]:
    """Return a tool call in Ollama's form."""
    return {"function": {"name": name, "arguments": arguments}, **members}


def test_plain_messages() -> None:
    """Role and content stay; a missing content is empty."""
    assert translated(
        {"role": "system", "content": "s"},
        {"role": "user", "content": "ü"},
        {"role": "assistant", "content": None},
    ) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "ü"},
        {"role": "assistant", "content": ""},
    ]


@pytest.mark.parametrize("role", ["", "developer", "USER"])
def test_other_roles_are_refused(role: str) -> None:
    """The error names the message."""
    with pytest.raises(BadRequestError, match=r"messages\[1\] has the role '.*': it must be one of system"):
        translated({"role": "user", "content": "x"}, {"role": role})


def test_thoughts_of_earlier_responses() -> None:
    """Only the assistant thinks."""
    assert translated(
        {"role": "assistant", "content": "a", "thinking": "hm"}, {"role": "user", "thinking": "x"}
    ) == [
        {"role": "assistant", "content": "a", "reasoning_content": "hm"},
        {"role": "user", "content": ""},
    ]


def test_images() -> None:
    """Base64 becomes a data URL; a message may have no text."""
    (with_text, alone) = translated(
        {"role": "user", "content": "x", "images": ["iVBORw0KGgoAAA"]},
        {"role": "user", "images": ["/9j/4A", "data:image/gif;base64,R0lGOD"]},
    )
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAA"}}
    assert with_text["content"] == [{"type": "text", "text": "x"}, url]
    assert [part["image_url"]["url"] for part in alone["content"]] == [
        "data:image/jpeg;base64,/9j/4A",
        "data:image/gif;base64,R0lGOD",
    ]


@pytest.mark.parametrize(
    ("image", "type_"),
    [
        ("iVBORw0KGgo", "png"),
        ("/9j/", "jpeg"),
        ("R0lGOD", "gif"),
        ("UklGRg", "webp"),
        ("Qk02", "bmp"),
        ("AAAA", "jpeg"),
        ("https://example.com/x.png", "jpeg"),
    ],
)
def test_media_types(image: str, type_: str) -> None:
    """By the first bytes. An address is never fetched: it becomes data."""
    assert data_url(image) == f"data:image/{type_};base64,{image}"


def test_tool_calls_with_ids() -> None:
    """Names, ids and arguments survive; the tool message answers its call."""
    asked, told = translated(
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call("f", {"a": 1}, id="call_x", type="function")],
        },
        {"role": "tool", "content": "7", "tool_call_id": "call_x", "tool_name": "f"},
    )
    assert asked["tool_calls"] == [
        {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert told == {"role": "tool", "content": "7", "tool_call_id": "call_x", "name": "f"}


def test_tool_messages_without_ids_answer_by_name_then_in_order() -> None:
    """Two calls of one function are answered in order, one of another by its name."""
    calls = [call("f", {"n": 1}), call("g", {}), call("f", {"n": 2})]
    asked, *told = translated(
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "g", "tool_name": "g"},
        {"role": "tool", "content": "1", "tool_name": "f"},
        {"role": "tool", "content": "2"},
        {"role": "tool", "content": "3"},
    )
    ids = [asked_call["id"] for asked_call in asked["tool_calls"]]
    assert len(set(ids)) == 3
    assert [message.get("tool_call_id") for message in told] == [ids[1], ids[0], ids[2], None]


def test_a_tool_message_of_an_unknown_name_answers_the_oldest_call() -> None:
    """Clients shorten names; an unknown id is kept."""
    asked, told, other = translated(
        {"role": "assistant", "tool_calls": [call("f", {})]},
        {"role": "tool", "content": "x", "tool_name": "functions.f"},
        {"role": "tool", "content": "y", "tool_call_id": "lost"},
    )
    assert told["tool_call_id"] == asked["tool_calls"][0]["id"]
    assert other["tool_call_id"] == "lost"


@pytest.mark.parametrize(
    ("arguments", "text"), [(None, "{}"), ("", "{}"), ('{"a":1}', '{"a":1}'), ({"a": 1.0}, '{"a": 1.0}')]
)
def test_arguments_as_texts_and_objects(arguments: Any, text: str) -> None:
    """Some clients have encoded them already."""
    (message,) = translated({"role": "assistant", "tool_calls": [call("f", arguments)]})
    assert message["tool_calls"][0]["function"]["arguments"] == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.text(min_size=1))
def test_arguments_survive_exactly(arguments: dict[str, Any], name: str) -> None:
    """Numbers, order and text are as the client wrote them."""
    (message,) = translated({"role": "assistant", "tool_calls": [call(name, arguments)]})
    function = message["tool_calls"][0]["function"]
    assert function == {"name": name, "arguments": json.dumps(arguments)}
