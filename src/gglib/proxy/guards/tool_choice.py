"""Reads which tools a request may or must call, and makes the engine respect a choice of single tools. Pure.

llama-server knows the modes ``none``, ``auto`` and ``required``; it treats any object as ``auto`` (tested with
xllamacpp 2026.10.11549: a named function was ignored). A choice of single tools is therefore expressed by the tools
themselves: the others are cut out of the body, and the choice becomes its mode. All other bytes stay unchanged.

The forms are those of OpenAI's chats and Responses and of Anthropic's Messages.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gglib.proxy.errors import BadRequestError

_AUTO, _REQUIRED, _NONE = "auto", "required", "none"
_REQUIRED_NAMES = frozenset((_REQUIRED, "any"))
_MODES = _REQUIRED_NAMES | {_NONE}
_SHOWN_NAMES = 5
MAX_CHOICE_BYTES = 64 * 1024
"""Maximum size of a ``tool_choice``, which is parsed on the event loop."""
_decoder = json.JSONDecoder()


class ToolUse(NamedTuple):
    """A request with tools that the model may call."""

    is_required: bool
    """Whether the model must call one."""


class ToolChoice(NamedTuple):
    """A parsed ``tool_choice``."""

    mode: str
    names: tuple[str, ...] | None = None
    """The chosen tools; None: all."""
    is_replaced: bool = False
    """Whether the engine needs the mode in place of the object."""


def read_tool_use(tools: object, mode: str) -> ToolUse | None:
    """Return the tool use of a request with the parsed ``tools``; None if the model may not call any."""
    if not isinstance(tools, list | tuple) or not tools or mode == _NONE:
        return None
    return ToolUse(mode in _REQUIRED_NAMES)


def read_plain_choice(value: object) -> str:
    """Return the mode of a ``tool_choice`` that is not an object. The engine refuses unknown ones."""
    return value if isinstance(value, str) else _AUTO


def read_choice(content: bytes | None) -> ToolChoice:
    """Return the ``tool_choice`` with the JSON ``content``. Unknown forms are ``auto``, as for the engine.

    Raises ``BadRequestError`` for a choice of tools without their names, and for one that is too large.
    """
    if content is None:
        return ToolChoice(_AUTO)
    if len(content) > MAX_CHOICE_BYTES:
        raise BadRequestError(f"'tool_choice' is larger than {MAX_CHOICE_BYTES // 1024} KiB.", "tool_choice")
    value = json.loads(content)
    if not isinstance(value, Mapping):
        return ToolChoice(read_plain_choice(value))
    kind = value.get("type")
    if kind == "function":
        return ToolChoice(_REQUIRED, (_name_of(value),), is_replaced=True)
    if kind == "tool":  # Anthropic's: for the engine it means any tool
        return ToolChoice(_REQUIRED, (_name_of(value),))
    if kind == "allowed_tools":
        inner = value.get("allowed_tools")
        allowed = inner if isinstance(inner, Mapping) else value
        mode, tools = allowed.get("mode"), allowed.get("tools")
        names = tuple(_name_of(tool) for tool in tools) if isinstance(tools, list) else ()
        if not names:
            raise BadRequestError("'tool_choice' allows no tools: use 'none'.", "tool_choice")
        return ToolChoice(_REQUIRED if mode == _REQUIRED else _AUTO, names, is_replaced=True)
    return ToolChoice(kind if isinstance(kind, str) and kind in _MODES else _AUTO)


def chosen_tools(tools: bytes, names: tuple[str, ...]) -> bytes:
    """Return the JSON array ``tools`` with only the tools called ``names``, each as it is.

    Raises ``BadRequestError`` if one is missing.
    """
    text = tools.decode()
    named = ((_tool_name(tool), text[start:end]) for tool, start, end in _items(text))
    by_name = {name: item for name, item in named if isinstance(name, str)}
    missing = [name for name in names if name not in by_name]
    if missing:
        known = ", ".join(list(by_name)[:_SHOWN_NAMES]) or "none"
        raise BadRequestError(
            f"'tool_choice' names '{missing[0][:100]}', which is not one of the 'tools': {known}.",
            "tool_choice",
        )
    return f"[{','.join(item for name, item in by_name.items() if name in names)}]".encode()


def _name_of(choice: object) -> str:
    name = _tool_name(choice)
    if not isinstance(name, str):
        raise BadRequestError("'tool_choice' needs the name of a tool, as a string.", "tool_choice")
    return name


def _tool_name(tool: object) -> object:
    """Return the name of a tool, or of a choice: in ``function`` or at the root."""
    if not isinstance(tool, Mapping):
        return None
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else tool.get("name")


def _items(array: str) -> Iterator[tuple[Any, int, int]]:
    """Yield the items of a valid JSON array, each with its start and end."""
    position = _skip(array, 1)
    while array[position] != "]":
        item, end = _decoder.raw_decode(array, position)
        yield item, position, end
        position = _skip(array, end)
        if array[position] == ",":
            position = _skip(array, position + 1)


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
