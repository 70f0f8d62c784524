"""Requests to the engine, and its complete responses."""

import json
from typing import Any

import pytest
from tests.support.ollama import checked
from tests.unit.proxy.dialects.ollama.clocks import CLOCK
from tests.unit.proxy.dialects.ollama.test_streams import COUNTS, TIMINGS

from gglib.proxy.dialects.ollama.chat import chat_exchange
from gglib.proxy.dialects.ollama.exchanges import LineExchange
from gglib.proxy.dialects.ollama.generate import generate_exchange
from gglib.proxy.dialects.ollama.lines import NDJSON_HEADERS
from gglib.proxy.dialects.ollama.requests import ChatRequest, GenerateRequest, read_request
from gglib.proxy.dialects.ollama.streams import ChatStream, CompletionStream
from gglib.proxy.errors import BadRequestError, EngineError

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


def chat(**fields: Any) -> LineExchange:
    """Return the exchange of a chat; the model in the catalogue is ``known``."""
    body = {"model": "m:latest", "messages": HELLO, **fields}
    return chat_exchange(read_request(ChatRequest, json.dumps(body).encode()), "known", CLOCK)


def generate(*, has_template: bool = True, **fields: Any) -> LineExchange:
    """Return the exchange of a prompt."""
    body = {"model": "m:latest", "prompt": "Hello", **fields}
    request = read_request(GenerateRequest, json.dumps(body).encode())
    return generate_exchange(request, "known", CLOCK, has_template=has_template)


def sent(exchange: LineExchange) -> dict[str, Any]:
    """Return the body for the engine, without the fields of every chat."""
    body: dict[str, Any] = json.loads(exchange.body)
    return {name: value for name, value in body.items() if name not in {"model", "messages", "stream"}}


def test_a_plain_chat() -> None:
    """Streams by default; ``model`` is that of the catalogue."""
    exchange = chat()
    assert exchange.path == "/v1/chat/completions"
    assert json.loads(exchange.body) == {"model": "known", "messages": HELLO, "stream": True}
    assert exchange.keep_alive_s is None
    assert exchange.stream_headers == NDJSON_HEADERS
    assert exchange.body_headers() == [(b"content-type", b"application/json")]
    assert isinstance(exchange.open_stream(), ChatStream)
    assert checked("chat_line", exchange.heartbeat())["message"]["content"] == ""


@pytest.mark.parametrize(("stream", "is_streamed"), [(None, True), (True, True), (False, False)])
def test_stream(stream: bool | None, is_streamed: bool) -> None:  # noqa: FBT001 - a case
    """True unless it is false."""
    assert json.loads(chat(stream=stream).body)["stream"] is is_streamed
    assert json.loads(generate(stream=stream).body)["stream"] is is_streamed


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"format": "json"}, {"response_format": {"type": "json_object"}}),
        ({"format": ""}, {}),
        ({"format": None}, {}),
        (
            {"format": SCHEMA},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "response", "schema": SCHEMA},
                }
            },
        ),
        ({"think": False}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"think": True}, {"chat_template_kwargs": {"enable_thinking": True}}),
        ({"think": "low"}, {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}}),
        ({"options": {"temperature": 0, "num_ctx": 4096}}, {"temperature": 0, "num_ctx": 4096}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"top_logprobs": 3}, {}),
        ({"keep_alive": "5m"}, {}),
    ],
)
def test_fields_of_chats_and_prompts(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Both become chats."""
    assert sent(chat(**fields)) == expected
    assert sent(generate(**fields)) == expected


def test_a_schema_keeps_its_order() -> None:
    """The order of properties is the order of the response."""
    assert b'"schema":{"type": "object", "properties": {"b": {' in chat(format=SCHEMA).body


@pytest.mark.parametrize("fields", [{"format": "xml"}, {"format": 1}, {"format": []}, {"think": "much"}])
def test_unknown_formats_and_levels_are_refused(fields: dict[str, Any]) -> None:
    """The error names the field."""
    with pytest.raises(BadRequestError) as refused:
        chat(**fields)
    assert refused.value.param in fields
    with pytest.raises(BadRequestError):
        generate(**fields, raw="format" in fields and fields["format"] != "xml")


def test_keep_alive_is_for_the_runtime() -> None:
    """Not a field for the engine."""
    assert chat(keep_alive="5m").keep_alive_s == 300
    assert generate(keep_alive=0).keep_alive_s == 0
    assert generate(keep_alive=0, raw=True).keep_alive_s == 0


def test_tools_are_forwarded_as_they_are() -> None:
    """With their spelling; an empty list is left out."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "x": 1.0}}}
    assert json.dumps(tool).encode() in chat(tools=[tool]).body
    assert "tools" not in sent(chat(tools=[]))


def test_a_prompt_becomes_a_chat() -> None:
    """With system prompt and images."""
    body = json.loads(generate(system="s", images=["iVBORw0KGgo"]).body)
    system, user = body["messages"]
    assert system == {"role": "system", "content": "s"}
    assert user["content"][0] == {"type": "text", "text": "Hello"}
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo"
    assert checked("generate_line", generate().heartbeat())["response"] == ""


@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({"raw": True}, "Hello"),
        ({"raw": True, "system": "s", "template": "x"}, "Hello"),
        ({"template": " {{ .Prompt }}\n"}, "Hello"),
        ({"has_template": False}, "Hello"),
        ({"has_template": False, "system": "s"}, "s\n\nHello"),
    ],
)
def test_prompts_without_a_template(fields: dict[str, Any], prompt: str) -> None:
    """The engine's own format, with its names."""
    exchange = generate(**fields, options={"num_predict": 5, "stop": "x"}, format="json", logprobs=True)
    assert exchange.path == "/completion"
    assert isinstance(exchange.open_stream(), CompletionStream)
    assert sent(exchange) == {
        "prompt": prompt,
        "n_predict": 5,
        "stop": ["x"],
        "json_schema": {"type": "object"},
        "n_probs": 1,
    }


def test_a_raw_prompt_may_be_empty_or_have_a_schema() -> None:
    """The schema is the engine's."""
    assert sent(generate(raw=True, prompt=None, format=SCHEMA)) == {"prompt": "", "json_schema": SCHEMA}


def test_suffix() -> None:
    """An infill, with more alternatives than one."""
    exchange = generate(suffix="return", logprobs=True, top_logprobs=4)
    assert exchange.path == "/infill"
    assert sent(exchange) == {"input_prefix": "Hello", "input_suffix": "return", "n_probs": 4}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"template": "{{ .System }}"}, "'template' is not supported"),
        ({"context": [1]}, "'context' is not supported"),
        ({"images": ["x"], "raw": True}, "'images' need the model's chat template"),
        ({"images": ["x"], "suffix": "y"}, "'images' need the model's chat template"),
    ],
)
def test_what_is_not_translated(fields: dict[str, Any], message: str) -> None:
    """Ignoring it would change the response silently."""
    with pytest.raises(BadRequestError, match=message):
        generate(**fields)
    assert generate(template="", context=[]).path == "/v1/chat/completions"


def chat_response(**message: Any) -> bytes:
    """Return a complete response of the engine."""
    reason = message.pop("finish_reason", "stop")
    choice = {"finish_reason": reason, "index": 0, "message": {"role": "assistant", **message}}
    return json.dumps({"choices": [choice], "timings": TIMINGS}).encode()


def test_a_complete_chat() -> None:
    """Text, thoughts, tool calls and counts."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    body = chat_response(content=None, reasoning_content="hm", tool_calls=[call], finish_reason="tool_calls")
    response = checked("chat_end", chat(stream=False).translate_body(body))
    assert response["message"] == {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "c", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
    }
    assert {name: response[name] for name in COUNTS} == COUNTS
    assert response["done_reason"] == "stop"


def test_a_complete_response_at_the_token_limit() -> None:
    """An incomplete call is dropped; log probabilities and usage are translated."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a'}}
    choice = {
        "finish_reason": "length",
        "message": {"content": "x", "tool_calls": [call]},
        "logprobs": {"content": [{"token": "x", "logprob": -1}]},
    }
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
    response = checked("chat_end", chat(stream=False).translate_body(body))
    assert (response["done_reason"], response["prompt_eval_count"], response["eval_count"]) == (
        "length",
        3,
        4,
    )
    assert response["message"] == {"role": "assistant", "content": "x"}
    assert response["logprobs"] == [{"token": "x", "logprob": -1}]


def test_a_complete_prompt_and_completion() -> None:
    """Both have ``response``."""
    response = checked(
        "generate_end",
        generate(stream=False).translate_body(chat_response(content="x", reasoning_content="y")),
    )
    assert (response["response"], response["thinking"]) == ("x", "y")
    token = {"token": "x", "logprob": -1}
    body = {
        "content": "x",
        "stop": True,
        "stop_type": "limit",
        "timings": TIMINGS,
        "completion_probabilities": [token],
    }
    response = checked("generate_end", generate(raw=True).translate_body(json.dumps(body).encode()))
    assert (response["response"], response["done_reason"], response["logprobs"]) == ("x", "length", [token])
    assert {name: response[name] for name in COUNTS} == COUNTS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":null}]}',
        b"[" * 5000,
    ],
)
def test_a_response_of_another_form(body: bytes) -> None:
    """Is a ``ValueError``, which becomes a 502."""
    with pytest.raises(ValueError, match=r"."):
        chat().translate_body(body)
    with pytest.raises(ValueError, match=r"."):
        generate(raw=True).translate_body(body)


def test_arguments_that_are_no_object() -> None:
    """An error of the engine."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[]"}}
    with pytest.raises(EngineError, match="no JSON object"):
        chat().translate_body(chat_response(content="", tool_calls=[call], finish_reason="tool_calls"))
