"""Requests of the Responses dialect become chat completions; what a chat cannot express is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.proxy.dialects.responses.support import chat_of, exchange, messages_of

from gglib.proxy.dialects.responses.exchange import InputTokensExchange
from gglib.proxy.errors import BadRequestError

FUNCTION = {"type": "function", "name": "get", "description": "d", "parameters": {"type": "object"}}
IMAGE = "data:image/png;base64,AAAA"


def text(role: str, *texts: str) -> dict[str, Any]:
    """Return a message item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": part} for part in texts]}


def test_a_plain_text_is_a_message_of_the_user() -> None:
    """The rest of the request is forwarded; a stream reports its usage."""
    assert chat_of(temperature=0.5, seed=1, num_ctx=9, stream=True, top_k=None) == {
        "model": "tiny",
        "temperature": 0.5,
        "seed": 1,
        "num_ctx": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_the_system_prompt_is_one_message() -> None:
    """Instructions and the first system and developer messages are joined; later ones stay where they are."""
    items = [text("developer", "b", "c"), text("system", "d"), text("user", "e", "f"), text("developer", "g")]
    assert messages_of(items, instructions="a") == [
        {"role": "system", "content": "a\n\nb\n\nc\n\nd"},
        {"role": "user", "content": [{"type": "text", "text": "e"}, {"type": "text", "text": "f"}]},
        {"role": "developer", "content": "g"},
    ]
    assert messages_of([text("user", "a"), text("system", "b")])[1] == {"role": "system", "content": "b"}


def test_one_turn_of_the_model_is_one_message() -> None:
    """Reasoning, text and calls of a turn are together; results follow; hosted and empty items are skipped."""
    items = [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "b"}], "encrypted_content": "x"},
        {"role": "assistant", "content": "c"},
        {"type": "function_call", "call_id": "1", "name": "get", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "2", "name": "patch", "input": "d"},
        {"type": "function_call_output", "call_id": "1", "output": "e"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "f"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "x"},
        {"type": "web_search_call", "id": "w", "status": "completed"},
        text("assistant", "g", "h"),
    ]
    calls = [
        {"id": "1", "type": "function", "function": {"name": "get", "arguments": "{}"}},
        {"id": "2", "type": "function", "function": {"name": "patch", "arguments": '{"input": "d"}'}},
    ]
    assert messages_of(items) == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "c", "reasoning_content": "b", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "1", "content": "e"},
        {"role": "tool", "tool_call_id": "2", "content": "f"},
        {"role": "assistant", "content": "gh"},
    ]


@pytest.mark.parametrize(
    ("output", "content"),
    [
        (None, ""),
        ({"a": "é"}, '{"a": "é"}'),
        ([{"type": "input_image", "image_url": IMAGE}], [{"type": "image_url", "image_url": {"url": IMAGE}}]),
    ],
)
def test_results_of_any_form(output: object, content: object) -> None:
    """Objects become JSON, images stay images."""
    (message,) = messages_of([{"type": "function_call_output", "call_id": "1", "output": output}])
    assert message["content"] == content


def test_parts_of_a_message() -> None:
    """Images, sound and refusals have their form in a chat."""
    sound = {"data": "AAAA", "format": "wav"}
    parts = [
        {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
        {"type": "input_audio", "input_audio": sound},
        {"type": "refusal", "refusal": "no"},
    ]
    (message,) = messages_of([{"role": "user", "content": parts}])
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "input_audio", "input_audio": sound},
        {"type": "text", "text": "no"},
    ]
    others: list[object] = [*parts, {"type": "output_text", "text": 3}, 3]
    (said,) = messages_of([{"role": "assistant", "type": "message", "content": others}])
    assert said == {"role": "assistant", "content": "no"}


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"previous_response_id": "r"}, "previous_response_id", "stores no responses"),
        ({"conversation": {"id": "c"}}, "conversation", "stores no conversations"),
        ({"prompt": {"id": "p"}}, "prompt", "stores no prompts"),
        ({"background": True}, "background", "not supported"),
        ({"input": None}, "input", "required"),
        ({"input": 3}, "input", "string or an array"),
        ({"input": [3]}, "input", r"input\[0\] must be an object"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input", "stored item"),
        ({"input": [{"type": "strange"}]}, "input", "unknown type: 'strange'"),
        ({"input": [{"type": "function_call", "name": "a"}]}, "input", "call_id"),
        ({"input": [{"role": "user"}]}, "input", "needs 'content'"),
        ({"input": [{"role": "user", "content": [3]}]}, "input", r"input\[0\]\.content\[0\]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "input",
            "no files",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input", "image_url"),
        ({"instructions": 3}, "instructions", "string"),
        ({"tools": {}}, "tools", "array"),
        ({"tools": [{"type": "function"}]}, "tools", "name"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "web_search"}}, "tool_choice", "no tools of its own"),
        ({"text": {"format": {"type": "xml"}}}, "text", "json_schema"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str, words: str) -> None:
    """The error names the field."""
    with pytest.raises(BadRequestError, match=words) as caught:
        exchange(**fields)
    assert caught.value.param == param


def test_fields_without_effect_are_not_forwarded() -> None:
    """What only concerns OpenAI's servers, and null, is left out."""
    fields: dict[str, Any] = {
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "client_metadata": {},
        "truncation": "auto",
        "background": False,
        "previous_response_id": None,
        "conversation": None,
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "text": {"verbosity": "low"},
        "n": 3,
    }
    assert chat_of(**fields) == {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}


def test_fields_with_other_names() -> None:
    """Limits, effort, log probabilities and schemas have their names of a chat."""
    schema = {"type": "object"}
    form = {"type": "json_schema", "name": "n", "schema": schema, "strict": True, "description": None}
    chat = chat_of(max_output_tokens=3, reasoning={"effort": "low"}, top_logprobs=2, text={"format": form})
    assert (chat["max_tokens"], chat["reasoning_effort"]) == (3, "low")
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 2)
    assert chat["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": schema, "strict": True},
    }
    assert chat_of(include=["message.output_text.logprobs"])["top_logprobs"] == 1
    assert chat_of(text={"format": {"type": "json_object"}})["response_format"] == {"type": "json_object"}
    assert "response_format" not in chat_of(text={"format": {"type": "text"}})


def test_tools_become_functions() -> None:
    """Functions keep their names, namespaces are joined to them, hosted tools are dropped."""
    tools = [
        {**FUNCTION, "strict": False, "defer_loading": True},
        {
            "type": "namespace",
            "name": "ns",
            "tools": [{"type": "function", "name": "close"}, {"type": "other"}, 3],
        },
        {
            "type": "custom",
            "name": "patch",
            "description": "d",
            "format": {"type": "grammar", "definition": "g"},
        },
        {"type": "web_search"},
    ]
    chat = chat_of(tools=tools, tool_choice="required", parallel_tool_calls=False)
    own = {key: value for key, value in FUNCTION.items() if key != "type"}
    first, second, third = (tool["function"] for tool in chat["tools"])
    assert first == {**own, "strict": False}
    assert second == {"name": "ns__close"}
    assert third["description"] == "d\n\nThe format of the input:\ng"
    assert third["parameters"]["required"] == ["input"]
    assert (chat["tool_choice"], chat["parallel_tool_calls"]) == ("required", False)
    assert "tools" not in chat_of(tools=[{"type": "web_search"}], tool_choice="auto")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", "none"),
        ({"type": "function", "name": "get"}, {"type": "function", "function": {"name": "get"}}),
        (
            {"type": "custom", "name": "close", "namespace": "ns"},
            {"type": "function", "function": {"name": "ns__close"}},
        ),
        ({"type": "auto"}, "auto"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get"}, {"type": "mcp"}],
            },
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "get"}}],
                },
            },
        ),
    ],
)
def test_tool_choices(choice: object, expected: object) -> None:
    """Each form becomes that of a chat."""
    assert chat_of(tools=[FUNCTION], tool_choice=choice)["tool_choice"] == expected


def test_calls_in_a_namespace_have_the_joined_name() -> None:
    """An earlier call has the same name as its function."""
    items = [{"type": "function_call", "call_id": "1", "name": "close", "namespace": "ns", "arguments": "{}"}]
    (message,) = messages_of(items)
    assert message["tool_calls"][0]["function"]["name"] == "ns__close"


WORDS = st.sampled_from(
    [
        *(
            "type",
            "role",
            "content",
            "text",
            "name",
            "tools",
            "summary",
            "output",
            "call_id",
            "arguments",
            "format",
        ),
        *(
            "message",
            "function",
            "custom",
            "namespace",
            "reasoning",
            "input_text",
            "input_image",
            "assistant",
            "user",
        ),
        *(
            "function_call",
            "function_call_output",
            "custom_tool_call",
            "allowed_tools",
            "json_schema",
            "effort",
        ),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(WORDS, children, max_size=5),
    max_leaves=12,
)
FIELDS = (
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "text",
    "reasoning",
    "include",
    "top_logprobs",
    "metadata",
)


@given(fields=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_any_json_is_translated_or_refused(fields: dict[str, Any]) -> None:
    """No value of any field causes an internal error, nor does its repetition in the response."""
    try:
        read = exchange(**fields)
    except BadRequestError:
        return
    read.translate_body(b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}')


def test_input_tokens_are_counted_by_the_chat() -> None:
    """The engine counts the translated request, and its response passes."""
    counting = InputTokensExchange.read(b'{"model":"tiny","input":"hi"}', "req_1")
    assert counting.path == "/v1/chat/completions/input_tokens"
    assert counting.translate_body(b'{"input_tokens":5}') == b'{"input_tokens":5}'
