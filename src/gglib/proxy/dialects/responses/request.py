"""Translates a Responses request to a chat completion. Pure.

llama.cpp serves ``/v1/responses`` itself, but its events lack most fields, it does not report that a response ended at
its token limit, it ignores ``text.format``, and it refuses items that official clients send (tested with xllamacpp
2026.10.11549). Its chat completions have all of this.
"""

from typing import Any, NamedTuple

import msgspec

from gglib.proxy.dialects.responses.input_items import read_messages
from gglib.proxy.dialects.responses.tools import Object, Tools, read_tool_choice, read_tools
from gglib.proxy.errors import BadRequestError

_REFUSED = {
    "previous_response_id": "this server stores no responses: send the whole conversation in 'input'",
    "conversation": "this server stores no conversations: send the whole conversation in 'input'",
    "prompt": "this server stores no prompts: send 'instructions' and 'input'",
}
"""Fields that refer to what OpenAI's servers store, and what to do instead."""
_WITHOUT_EFFECT = frozenset(
    {
        "background",
        "client_metadata",
        "context_management",
        "include",
        "max_tool_calls",
        "metadata",
        "moderation",
        "n",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "top_logprobs",
        "truncation",
        "user",
    }
)
"""Accepted and not forwarded, each for a reason in ``docs/dialects.md``."""
_TRANSLATED = frozenset(
    ("input", "instructions", "max_output_tokens", "reasoning", "text", "tool_choice", "tools")
)
_WITH_LOGPROBS = "message.output_text.logprobs"


class ResponsesRequest(NamedTuple):
    """A translated request."""

    body: bytes
    """The chat completion."""
    fields: Object
    """The client's fields."""
    tools: Tools
    is_stream: bool


def translate_request(body: bytes) -> ResponsesRequest:
    """Return the chat completion of a request.

    ``body`` is a JSON object that ``read_envelope`` has accepted. Raises ``BadRequestError``, which names the field.
    Fields of llama.cpp's chat completions that Responses does not have are forwarded unchanged.
    """
    fields = msgspec.json.decode(body, type=dict[str, Any])
    _refuse(fields)
    tools = read_tools(fields.get("tools"))
    dropped = _WITHOUT_EFFECT | _TRANSLATED
    chat: Object = {
        name: value for name, value in fields.items() if name not in dropped and value is not None
    }
    chat["messages"] = read_messages(fields.get("instructions"), fields.get("input"))
    if tools.functions:
        chat["tools"] = tools.functions
        choice = read_tool_choice(fields.get("tool_choice"))
        if choice is not None:
            chat["tool_choice"] = choice
    else:
        chat.pop("parallel_tool_calls", None)
    if fields.get("max_output_tokens") is not None:
        chat["max_tokens"] = fields["max_output_tokens"]
    chat |= _reasoning(fields.get("reasoning")) | _response_format(fields.get("text")) | _logprobs(fields)
    is_stream = fields.get("stream") is True
    if is_stream:
        chat["stream_options"] = {"include_usage": True}
    return ResponsesRequest(msgspec.json.encode(chat), fields, tools, is_stream)


def _refuse(fields: Object) -> None:
    for name, reason in _REFUSED.items():
        if fields.get(name) is not None:
            raise BadRequestError(f"'{name}' is not supported: {reason}.", name)
    if fields.get("background") is True:
        raise BadRequestError(
            "'background' is not supported: responses are sent to the request itself; use 'stream' for long ones.",
            "background",
        )


def _reasoning(value: object) -> Object:
    effort = value.get("effort") if isinstance(value, dict) else None
    return {"reasoning_effort": effort} if isinstance(effort, str) else {}


def _response_format(text: object) -> Object:
    """Return the schema of the response, where chats have it."""
    form = text.get("format") if isinstance(text, dict) else None
    if not isinstance(form, dict):
        return {}
    kind = form.get("type")
    if kind == "json_schema":
        schema = {name: form[name] for name in ("name", "schema", "strict") if form.get(name) is not None}
        return {"response_format": {"type": kind, "json_schema": schema}}
    if kind == "json_object":
        return {"response_format": {"type": kind}}
    if kind is None or kind == "text":
        return {}
    raise BadRequestError("'text.format.type' must be 'text', 'json_schema' or 'json_object'.", "text")


def _logprobs(fields: Object) -> Object:
    included, count = fields.get("include"), fields.get("top_logprobs")
    if not (isinstance(included, list) and _WITH_LOGPROBS in included) and not count:
        return {}
    return {"logprobs": True, "top_logprobs": count or 1}  # with 0 the engine sends none
