"""Translates a Messages request into one for the engine's chat completions. Pure.

Only for what the engine's own ``/v1/messages`` (b11549) does not pass on to its chat completions: the schema of
``output_config.format``, and ``disable_parallel_tool_use``. The rest of the translation is the engine's own
(``server_chat_convert_anthropic_to_oai``), so that both paths give the same prompt.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gglib.proxy.dialects.anthropic.raw_json import to_json

CHAT_PATH = "/v1/chat/completions"

_SAME = (
    "model",
    "stream",
    "num_ctx",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "chat_template_kwargs",
)
"""Members with the same meaning in both dialects."""
_DEFAULT_MAX_TOKENS = 4096
_DEFAULT_BUDGET_TOKENS = 10_000
_CHOICES = {"auto": "auto", "any": "required", "tool": "required"}

Object = dict[str, Any]


def to_chat_request(body: bytes) -> bytes:
    """Return the body for chat completions of an adapted request.

    Raises ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError`` for a body that is not a valid request.
    """
    request: Object = msgspec.json.decode(body, type=dict)
    chat: Object = {name: request[name] for name in _SAME if name in request}
    chat.setdefault("max_tokens", _DEFAULT_MAX_TOKENS)
    chat["messages"] = [*_system(request.get("system")), *_messages(request["messages"])]
    if request.get("stream") is True:
        chat["stream_options"] = {"include_usage": True}
    if request.get("stop_sequences") is not None:
        chat["stop"] = request["stop_sequences"]
    chat.update(_tools(request))
    thinking = request.get("thinking") or {}
    if thinking.get("type") == "enabled":
        chat["thinking_budget_tokens"] = thinking.get("budget_tokens", _DEFAULT_BUDGET_TOKENS)
    schema = _schema(request)
    if schema is not None:
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    return to_json(chat)


def _schema(request: Object) -> object:
    format_ = (request.get("output_config") or {}).get("format") or request.get("output_format") or {}
    return format_.get("schema") if format_.get("type") == "json_schema" else None


def _tools(request: Object) -> Object:
    chat: Object = {}
    tools, choice = request.get("tools"), request.get("tool_choice") or {}
    if tools:
        chat["tools"] = [_function(tool) for tool in tools]
    if choice.get("type") in _CHOICES:
        chat["tool_choice"] = _CHOICES[choice["type"]]
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    return chat


def _function(tool: Object) -> Object:
    described = {
        "name": tool.get("name", ""),
        "description": tool.get("description", ""),
        "parameters": tool.get("input_schema", {}),
    }
    return {"type": "function", "function": described}


def _system(system: object) -> list[Object]:
    if system is None:
        return []
    content = system if isinstance(system, str) else "".join(map(_text_of, system))  # type: ignore[call-overload]
    return [{"role": "system", "content": content}]


def _text_of(block: Object) -> str:
    return str(block["text"]) if block.get("type") == "text" else ""


def _messages(messages: Iterable[Object]) -> list[Object]:
    return [chat for message in messages for chat in _chat_messages(message)]


def _chat_messages(message: Object) -> list[Object]:
    """Return the chat messages of one message: itself, and each tool result in it."""
    content = message.get("content")
    if not isinstance(content, list):
        return [{"role": message.get("role"), "content": content}]
    by_type: dict[str, list[Object]] = {}
    for block in content:
        by_type.setdefault(block.get("type", ""), []).append(block)
    chat: Object = {"role": message.get("role")}
    parts = [part for block in content for part in _parts(block)]
    calls = [_call(block) for block in by_type.get("tool_use", ())]
    reasoning = "".join(block.get("thinking", "") for block in by_type.get("thinking", ()))
    if calls:
        chat["tool_calls"] = calls
    if reasoning:
        chat["reasoning_content"] = reasoning
    own = [{**chat, "content": parts or ""}] if parts or calls or reasoning else []
    return own + [_result(block) for block in by_type.get("tool_result", ())]


def _parts(block: Object) -> list[Object]:
    """Return the content part of a block; none for blocks that are no content."""
    if block.get("type") == "text":
        return [{"type": "text", "text": block.get("text", "")}]
    if block.get("type") == "image":
        return [{"type": "image_url", "image_url": {"url": _image_url(block.get("source") or {})}}]
    return []


def _image_url(source: Mapping[str, Any]) -> str:
    if source.get("type") == "base64":
        return f"data:{source.get('media_type', 'image/jpeg')};base64,{source.get('data', '')}"
    return str(source.get("url", ""))


def _call(block: Object) -> Object:
    arguments = to_json(block.get("input", {})).decode()
    return {
        "id": block.get("id", ""),
        "type": "function",
        "function": {"name": block.get("name", ""), "arguments": arguments},
    }


def _result(block: Object) -> Object:
    content = block.get("content")
    if isinstance(content, list):
        parts = [part for inner in content for part in _parts(inner)]
        has_image = any(part["type"] == "image_url" for part in parts)
        content = parts if has_image else "".join(part["text"] for part in parts)
    return {"role": "tool", "tool_call_id": block.get("tool_use_id", ""), "content": content or ""}
