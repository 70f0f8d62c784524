"""Builds requests and the engine's streams for the tests of the Responses dialect."""

import json
from typing import Any

from gglib.http.sse import read_events
from gglib.proxy.dialects.responses.exchange import ResponsesExchange
from gglib.proxy.dialects.responses.stream import ResponsesTranslator

REQUEST_ID = "req_1"


def exchange(**fields: Any) -> ResponsesExchange:
    """Return the exchange of a request with these fields."""
    body = {"model": "tiny", "input": "hi", **fields}
    return ResponsesExchange.read(json.dumps(body).encode(), REQUEST_ID)


def chat_of(**fields: Any) -> dict[str, Any]:
    """Return the chat completion of a request with these fields."""
    chat: dict[str, Any] = json.loads(exchange(**fields).body)
    return chat


def messages_of(items: object, **fields: Any) -> list[dict[str, Any]]:
    """Return the messages of a request with these input items."""
    messages: list[dict[str, Any]] = chat_of(input=items, **fields)["messages"]
    return messages


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """Return one event of the engine's stream."""
    finish_reason = fields.pop("finish_reason", None)
    logprobs = fields.pop("logprobs", None)
    choice: dict[str, Any] = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    choices = [] if delta is None else [choice]
    content = {"choices": choices, "created": 7, "id": "chatcmpl-1", "model": "tiny", **fields}
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def call_delta(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    """Return a delta with a part of a tool call; its first part has ``name`` and ``id``."""
    function = {"arguments": arguments} | ({"name": fields["name"]} if "name" in fields else {})
    call = {"index": index, "function": function} | ({"id": fields["id"]} if "id" in fields else {})
    return {"tool_calls": [call]}


USAGE = chunk(
    usage={
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
)
ROLE = chunk({"role": "assistant", "content": None})
DONE = b"data: [DONE]\n\n"


def ended(*chunks: bytes, finish_reason: str = "stop") -> bytes:
    """Return a whole stream of the engine."""
    return b"".join((ROLE, *chunks, chunk({}, finish_reason=finish_reason), USAGE, DONE))


def translated(translator: ResponsesTranslator, stream: bytes, size: int = 1 << 20) -> bytes:
    """Return the translation of a whole stream that arrives in parts of ``size`` bytes. It must not fail."""
    output = b""
    for start in range(0, len(stream), size):
        part, error = translator.feed(stream[start : start + size])
        assert error is None
        output += part
    rest, error = translator.finish()
    assert error is None
    return output + rest


def events_of(output: bytes) -> list[dict[str, Any]]:
    """Return the events of a translated stream; name and type must agree, and the numbers must count from 0."""
    events = []
    for number, event in enumerate(read_events((output,))):
        content = json.loads(event.data)
        assert (content["type"], content["sequence_number"]) == (event.name, number)
        events.append(content)
    return events
