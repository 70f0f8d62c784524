"""Translates ``format`` and ``think``, which ``/api/chat`` and ``/api/generate`` have in common. Pure."""

from typing import Any

from msgspec import Raw

from gglib.proxy.dialects.ollama.requests import Think, is_absent
from gglib.proxy.errors import BadRequestError

_JSON_MODE = b'"json"'
_LEVELS = ("low", "medium", "high", "max")


def response_format(format_: Raw) -> dict[str, Any]:
    """Return OpenAI's ``response_format`` for ``format``: a JSON schema, or ``json``; empty if it is not set."""
    if is_absent(format_):
        return {}
    if bytes(format_) == _JSON_MODE:
        return {"response_format": {"type": "json_object"}}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": _schema(format_)},
        }
    }


def native_format(format_: Raw) -> dict[str, Any]:
    """Return llama-server's own ``json_schema`` for ``format``; empty if it is not set."""
    if is_absent(format_):
        return {}
    return {"json_schema": {"type": "object"} if bytes(format_) == _JSON_MODE else _schema(format_)}


def thinking_fields(think: Think) -> dict[str, Any]:
    """Return the arguments of the chat template for ``think``; empty if it is not set. Raises ``BadRequestError``.

    ``enable_thinking`` is the name in most templates; ``reasoning_effort`` is that of gpt-oss.
    """
    if think is None:
        return {}
    if isinstance(think, bool):
        return {"chat_template_kwargs": {"enable_thinking": think}}
    if think not in _LEVELS:
        raise BadRequestError(f"'think' must be true, false or one of {', '.join(_LEVELS)}.", "think")
    return {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": think}}


def _schema(format_: Raw) -> Raw:
    if not bytes(format_).startswith(b"{"):
        raise BadRequestError("'format' must be \"json\" or a JSON schema.", "format")
    return format_
