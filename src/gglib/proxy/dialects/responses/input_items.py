"""Translates the input items of a Responses request to the messages of a chat. Pure.

What the model produced in one turn (reasoning, text, calls) are several items in Responses, and one message in a chat.
The system prompt (``instructions``, and the system and developer messages at the beginning) becomes one message,
because many chat templates accept a single one, at the beginning.
"""

import json
from collections.abc import Iterable
from typing import cast

from gglib.proxy.dialects.responses.tools import CUSTOM_INPUT, Object, function_name
from gglib.proxy.errors import BadRequestError

_SYSTEM_ROLES = frozenset(("system", "developer"))
_BETWEEN_SYSTEM_TEXTS = "\n\n"
_MESSAGES = (None, "message")
_RESULTS = ("function_call_output", "custom_tool_call_output")
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_FILES = ("input_image", "input_file")
"""Tuples, because a client may send types that cannot be hashed."""
_HOSTED = ("_call", "_call_output", "_approval_request", "_approval_response", "_list_tools")
"""Ends of the types of items about tools that OpenAI's servers run themselves."""


def read_messages(instructions: object, value: object) -> list[Object]:
    """Return the messages of the chat. ``value`` is the ``input``: a text, or an array of items.

    Raises ``BadRequestError``, which names the item, for what a chat cannot express.
    """
    messages = _Messages()
    if instructions is not None:
        if not isinstance(instructions, str):
            raise BadRequestError("'instructions' must be a string.", "instructions")
        messages.add("system", instructions)
    if isinstance(value, str):
        messages.add("user", value)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _add_item(messages, item, f"input[{number}]")
    elif value is None:
        raise BadRequestError("'input' is required: a text, or an array of items.", "input")
    else:
        raise BadRequestError("'input' must be a string or an array of items.", "input")
    return messages.messages


class _Messages:
    """The messages so far. Consecutive items of the model become one message, and so does the system prompt."""

    def __init__(self) -> None:
        self.messages: list[Object] = []

    def add(self, role: str, content: object) -> None:
        """Add a message of the user or the system."""
        if role in _SYSTEM_ROLES and isinstance(content, str) and len(self.messages) < 2:
            first = self.messages[0] if self.messages else None
            if first is None:
                role = "system"
            elif first["role"] == "system" and isinstance(first["content"], str):
                first["content"] = f"{first['content']}{_BETWEEN_SYSTEM_TEXTS}{content}"
                return
        self.messages.append({"role": role, "content": content})

    def add_result(self, call_id: object, content: object) -> None:
        """Add the result of a call."""
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def turn(self) -> Object:
        """Return the message of the model's current turn."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": ""})
        return self.messages[-1]


def _add_item(messages: _Messages, item: object, place: str) -> None:
    if not isinstance(item, dict):
        raise BadRequestError(f"{place} must be an object.", "input")
    kind = item.get("type")
    if kind in _MESSAGES and isinstance(item.get("role"), str):
        _add_message(messages, item, place)
    elif kind == "function_call":
        _add_call(messages, item, item.get("arguments"), place)
    elif kind == "custom_tool_call":
        _add_call(messages, item, json.dumps({CUSTOM_INPUT: item.get("input")}, ensure_ascii=False), place)
    elif kind in _RESULTS:
        messages.add_result(item.get("call_id"), _result(item.get("output"), place))
    elif kind == "reasoning":
        text = "".join(_texts(item.get("content"))) or "".join(_texts(item.get("summary")))
        if text:
            turn = messages.turn()
            turn["reasoning_content"] = f"{turn.get('reasoning_content', '')}{text}"
    elif kind == "item_reference":
        raise BadRequestError(f"{place} refers to a stored item, but this server stores nothing.", "input")
    elif not isinstance(kind, str) or not kind.endswith(_HOSTED):
        raise BadRequestError(f"{place} has an unknown type: {str(kind)[:100]!r}.", "input")


def _add_message(messages: _Messages, item: Object, place: str) -> None:
    role, content = str(item["role"]), item.get("content")
    if role != "assistant":
        messages.add(role, _content(content, place, is_system=role in _SYSTEM_ROLES))
        return
    text = content if isinstance(content, str) else "".join(_texts(content))
    turn = messages.turn()
    turn["content"] = f"{turn['content']}{text}"


def _add_call(messages: _Messages, item: Object, arguments: object, place: str) -> None:
    name, call_id = item.get("name"), item.get("call_id")
    if not (isinstance(name, str) and isinstance(call_id, str) and isinstance(arguments, str)):
        raise BadRequestError(f"{place} needs 'name', 'call_id' and its arguments, as strings.", "input")
    function = {"name": function_name(name, item.get("namespace")), "arguments": arguments}
    turn = messages.turn()
    calls = cast("list[Object]", turn.setdefault("tool_calls", []))
    calls.append({"id": call_id, "type": "function", "function": function})


def _result(output: object, place: str) -> object:
    if isinstance(output, str):
        return output
    if isinstance(output, list):
        return _content(output, place)
    return "" if output is None else json.dumps(output, ensure_ascii=False)


def _content(content: object, place: str, *, is_system: bool = False) -> object:
    """Return the content of a message: a text, or parts. All texts of a system message are joined."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequestError(f"{place} needs 'content': a string or an array of parts.", "input")
    parts = [_part(part, f"{place}.content[{number}]") for number, part in enumerate(content)]
    if (len(parts) == 1 or is_system) and all(part["type"] == "text" for part in parts):
        return _BETWEEN_SYSTEM_TEXTS.join(str(part["text"]) for part in parts)
    return parts


def _part(part: object, place: str) -> Object:
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, dict):
        if kind in _TEXTS and isinstance(part.get("text"), str):
            return {"type": "text", "text": part["text"]}
        if kind == "refusal":
            return {"type": "text", "text": str(part.get("refusal", ""))}
        if kind == "input_image" and isinstance(part.get("image_url"), str):
            return {"type": "image_url", "image_url": {"url": part["image_url"]}}
        if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
            return {"type": "input_audio", "input_audio": part["input_audio"]}
    if kind in _FILES:
        raise BadRequestError(
            f"{place} must have its content in the request, as text or as an 'image_url': this server stores no files.",
            "input",
        )
    raise BadRequestError(f"{place} is not a text or an image: its type is {str(kind)[:100]!r}.", "input")


def _texts(parts: object) -> Iterable[str]:
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            text = part.get("text") if part.get("type") in _TEXTS else part.get("refusal")
            if isinstance(text, str):
                yield text
