"""The objects of the Responses API: the response, its output items and its usage. Pure.

All fields that OpenAI's types require are present; the request's settings are repeated, as OpenAI's server does.
"""

import json
from collections.abc import Mapping

from gglib.proxy.dialects.responses.request import ResponsesRequest
from gglib.proxy.dialects.responses.tools import CUSTOM_INPUT, Object, Tool

IN_PROGRESS, COMPLETED, INCOMPLETE = "in_progress", "completed", "incomplete"
_REPEATED: Object = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": None,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": None,
    "user": None,
}
"""Fields of the request that the response repeats, with the value of those that the request does not set."""


def constant_fields(request: ResponsesRequest) -> Object:
    """Return the fields of a response that only depend on the request."""
    fields = request.fields
    repeated: Object = {
        name: default if fields.get(name) is None else fields[name] for name, default in _REPEATED.items()
    }
    return {
        "background": False,
        "error": None,
        "max_tool_calls": None,
        "previous_response_id": None,
        "service_tier": "default",
        "store": False,
        "truncation": "disabled",
        **repeated,
        "reasoning": {"effort": None, "summary": None, **_object(fields.get("reasoning"))},
        "text": {"format": {"type": "text"}, **_object(fields.get("text"))},
        "tools": [_shown_tool(tool) for tool in _list(fields.get("tools"))],
    }


def response_object(  # noqa: PLR0913 - the fields that change
    constants: Mapping[str, object],
    *,
    id_: str,
    created_at: object,
    model: object,
    status: str,
    output: list[Object],
    usage: Object | None = None,
) -> Object:
    """Return a response. ``usage`` is its last field, where the telemetry reads it."""
    return {
        "id": id_,
        "object": "response",
        "created_at": created_at,
        "status": status,
        "model": model,
        **constants,
        "incomplete_details": {"reason": "max_output_tokens"} if status == INCOMPLETE else None,
        "output": output,
        "usage": usage,
    }


def usage_object(usage: object) -> Object | None:
    """Return the usage of a chat as that of a response; None without one.

    The engine does not count the tokens of the reasoning separately: ``reasoning_tokens`` is always 0.
    """
    if not isinstance(usage, dict):
        return None
    cached = _object(usage.get("prompt_tokens_details")).get("cached_tokens") or 0
    return {
        "input_tokens": usage.get("prompt_tokens", 0),
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": cached},
        "output_tokens": usage.get("completion_tokens", 0),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.get("total_tokens", 0),
    }


def text_part(text: str, logprobs: list[object]) -> Object:
    """Return the content of a message."""
    return {"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text}


def reasoning_part(text: str) -> Object:
    """Return the content of a reasoning item."""
    return {"type": "reasoning_text", "text": text}


def message_item(id_: str, content: list[Object], status: str) -> Object:
    """Return a message of the model."""
    return {"id": id_, "type": "message", "status": status, "role": "assistant", "content": content}


def reasoning_item(id_: str, content: list[Object], status: str) -> Object:
    """Return the reasoning of the model."""
    return {
        "id": id_,
        "type": "reasoning",
        "status": status,
        "summary": [],
        "content": content,
        "encrypted_content": None,
    }


def call_item(id_: str, call_id: str, tool: Tool, arguments: str, status: str) -> Object:
    """Return a call of a tool, in the form that its kind has."""
    kind, content = ("custom_tool_call", "input") if tool.is_custom else ("function_call", "arguments")
    item: Object = {"id": id_, "type": kind, "status": status, "call_id": call_id, "name": tool.name}
    if tool.namespace is not None:
        item["namespace"] = tool.namespace
    return item | {content: custom_input(arguments) if tool.is_custom else arguments}


def custom_input(arguments: str) -> str:
    """Return the input of a custom tool from the arguments of its function; incomplete ones as they are."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments
    found = value.get(CUSTOM_INPUT) if isinstance(value, dict) else None
    return found if isinstance(found, str) else arguments


def token_logprobs(choice: Mapping[str, object], count: object) -> list[object]:
    """Return the log probabilities of a choice of a chat, each with up to ``count`` alternatives."""
    limit = count if isinstance(count, int) else 0
    return [
        {
            "token": token.get("token", ""),
            "bytes": token.get("bytes") or [],
            "logprob": token.get("logprob", 0.0),
            "top_logprobs": [_alternative(other) for other in _list(token.get("top_logprobs"))[:limit]],
        }
        for token in map(_object, _list(_object(choice.get("logprobs")).get("content")))
    ]


def _alternative(value: object) -> Object:
    token = _object(value)
    return {
        "token": token.get("token", ""),
        "bytes": token.get("bytes") or [],
        "logprob": token.get("logprob", 0.0),
    }


def _shown_tool(tool: object) -> object:
    """Return a tool of the request with the fields that OpenAI's type of a function requires."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"parameters": None, "strict": None, **tool}


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
