"""Translates the messages of a chat to OpenAI's. Pure.

Ollama's tool calls may have no ids, and its tool messages name the function. OpenAI's refer to a call by its id: calls
without one get an id, and a tool message without one answers the oldest open call of its function.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gglib.proxy.dialects.ollama.images import data_url
from gglib.proxy.dialects.ollama.requests import Message, ToolCall, is_absent
from gglib.proxy.errors import BadRequestError

_ROLES = frozenset(("system", "user", "assistant", "tool"))
_NO_ARGUMENTS = "{}"


def openai_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the messages in OpenAI's form. Raises ``BadRequestError`` for an unknown role."""
    calls = _OpenCalls()
    return [_openai_message(number, message, calls) for number, message in enumerate(messages)]


def user_content(text: str, images: Sequence[str] | None) -> str | list[dict[str, Any]]:
    """Return the content of a message: the text, or the text and its images."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    return [*parts, *({"type": "image_url", "image_url": {"url": data_url(image)}} for image in images)]


class _OpenCalls:
    """The tool calls so far that no tool message has answered: name and id, in order."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._count = 0

    def add(self, call: ToolCall) -> str:
        """Return the id of a call, a new one if it has none."""
        id_ = call.id or f"call_{self._count}"
        self._count += 1
        self._open.append((call.function.name, id_))
        return id_

    def answer(self, name: str | None, id_: str | None) -> str:
        """Return the id of the call that a tool message answers: its own, else that of the oldest one of ``name``.

        If no call has the name, the oldest one. Empty if all calls are answered.
        """
        if id_:
            self._open = [call for call in self._open if call[1] != id_]
            return id_
        if not self._open:
            return ""
        answered = next((call for call in self._open if call[0] == name), self._open[0])
        self._open.remove(answered)
        return answered[1]


def _openai_message(number: int, message: Message, calls: _OpenCalls) -> dict[str, Any]:
    role = message.role
    if role not in _ROLES:
        raise BadRequestError(
            f"messages[{number}] has the role {role!r}: it must be one of system, user, assistant or tool.",
            "messages",
        )
    content = user_content(message.content or "", message.images)
    if role == "tool":
        id_ = calls.answer(message.tool_name, message.tool_call_id)
        refers_to = {"tool_call_id": id_, "name": message.tool_name}
        return {
            "role": role,
            "content": content,
            **{name: value for name, value in refers_to.items() if value},
        }
    translated: dict[str, Any] = {"role": role, "content": content}
    if role == "assistant":
        if message.thinking:
            translated["reasoning_content"] = message.thinking
        if message.tool_calls:
            translated["tool_calls"] = [_openai_call(call, calls) for call in message.tool_calls]
    return translated


def _openai_call(call: ToolCall, calls: _OpenCalls) -> dict[str, Any]:
    return {
        "id": calls.add(call),
        "type": "function",
        "function": {"name": call.function.name, "arguments": _arguments_text(call)},
    }


def _arguments_text(call: ToolCall) -> str:
    """Return the arguments as a string of JSON. A client that sends a string has encoded them already."""
    raw = call.function.arguments
    if is_absent(raw):
        return _NO_ARGUMENTS
    text = bytes(raw).decode()
    return str(msgspec.json.decode(text)) if text.startswith('"') else text
