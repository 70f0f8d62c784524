"""Messages requests as chat completions; the forms are those of the engine's own conversion."""

import json
from typing import Any

import pytest

from gglib.proxy.dialects.anthropic.chat_request import to_chat_request
from gglib.proxy.dialects.anthropic.chat_response import chat_exchange

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
LINK = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CALL = {"type": "tool_use", "id": "t1", "name": "get", "input": {"a": "é"}}


def text(words: str) -> dict[str, Any]:
    """Return a text block, which is a content part, too."""
    return {"type": "text", "text": words}


def chat(**members: object) -> dict[str, Any]:
    """Return the chat request of a message."""
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **members}
    result: dict[str, Any] = json.loads(to_chat_request(json.dumps(request).encode()))
    return result


def messages(*given: dict[str, Any], **members: object) -> list[Any]:
    """Return the messages of the chat request."""
    found: list[Any] = chat(messages=given, **members)["messages"]
    return found


def test_members_of_both_dialects_keep_their_names() -> None:
    """Others are dropped, as the engine drops them."""
    same = {
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 3,
        "num_ctx": 9,
        "chat_template_kwargs": {"a": 1},
    }
    expected = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert chat(**same, metadata={"user_id": "u"}, seed=1) == {**expected, **same}
    assert chat() == {**expected, "max_tokens": 4096}


def test_members_with_other_names() -> None:
    """A stream reports its usage at the end."""
    assert chat(stop_sequences=["x"])["stop"] == ["x"]
    assert "stop" not in chat(stop_sequences=None)
    assert chat(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in chat(stream=False)
    assert chat(thinking={"type": "enabled", "budget_tokens": 2000})["thinking_budget_tokens"] == 2000
    assert chat(thinking={"type": "enabled"})["thinking_budget_tokens"] == 10_000
    assert "thinking_budget_tokens" not in chat(thinking={"type": "adaptive"})
    assert "thinking_budget_tokens" not in chat(thinking=None)


def test_the_format_becomes_a_response_format() -> None:
    """Under its name in ``output_config``, and in older clients."""
    expected = {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}
    assert chat(output_config={"format": FORMAT})["response_format"] == expected
    assert chat(output_format=FORMAT)["response_format"] == expected
    assert "response_format" not in chat(output_config=None, output_format=None)
    assert "response_format" not in chat(output_config={"format": {"type": "text"}})


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {}),
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "tool", "name": "get"}, {"tool_choice": "required"}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
)
def test_tools(choice: object, expected: dict[str, Any]) -> None:
    """Each tool is a function."""
    found = chat(
        tools=[{"name": "get", "description": "d", "input_schema": SCHEMA}, {"name": "x"}], tool_choice=choice
    )
    assert found["tools"] == [
        {"type": "function", "function": {"name": "get", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "x", "description": "", "parameters": {}}},
    ]
    assert {name: found[name] for name in ("tool_choice", "parallel_tool_calls") if name in found} == expected
    assert "tools" not in chat(tools=[])


def test_the_system_prompt_is_one_message() -> None:
    """Its blocks are joined without a separator."""
    hi = {"role": "user", "content": "hi"}
    assert messages(hi, system="s") == [{"role": "system", "content": "s"}, hi]
    assert messages(hi, system=[text("a"), text("b"), {"type": "x"}]) == [
        {"role": "system", "content": "ab"},
        hi,
    ]
    assert messages(hi, system=None) == [hi]


def test_blocks_become_parts() -> None:
    """Text and images."""
    assert messages({"role": "user", "content": [text("a"), IMAGE, LINK]}) == [
        {
            "role": "user",
            "content": [
                text("a"),
                IMAGE_PART,
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            ],
        }
    ]
    assert messages({"role": "user", "content": []}) == []


def test_a_turn_with_a_call_and_its_result() -> None:
    """Thinking, text and calls are one message; each result is one."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": ""}
    found = messages(
        {"role": "assistant", "content": [thinking, text("ok"), CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "12"}]},
        {"role": "assistant", "content": [CALL]},
    )
    call = {"id": "t1", "type": "function", "function": {"name": "get", "arguments": '{"a":"é"}'}}
    assert found == [
        {"role": "assistant", "content": [text("ok")], "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "t1", "content": "12"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        ("12", "12"),
        ([text("a"), text("b")], "ab"),
        ([text("a"), IMAGE], [text("a"), IMAGE_PART]),
        ([{"type": "tool_reference"}], ""),
    ],
)
def test_the_content_of_a_result(content: object, expected: object) -> None:
    """Texts are joined, unless there is an image."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": content}
    assert messages({"role": "user", "content": [result]})[0]["content"] == expected


@pytest.mark.parametrize(
    "given",
    [b"", b"[]", b"{}", b'{"messages": 1}', b'{"messages": ["a"]}', b'{"messages": [], "system": 1}'],
)
def test_an_invalid_request_is_left_to_the_engine(given: bytes) -> None:
    """It is forwarded as it is, and refused."""
    assert chat_exchange(given) is None
