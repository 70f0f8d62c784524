"""Adapts ``tools`` and ``tool_choice`` to what the engine does with them. Pure.

The engine (b11549) makes a function of each tool, also of those that Anthropic's servers run; it reads a choice of one
tool as a choice of any, and ``none`` as ``auto``. So tools that are not to be called are taken out of the request.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gglib.proxy.dialects.anthropic.raw_json import ABSENT, RawJson, array_of, is_set, items_of, to_json
from gglib.proxy.errors import BadRequestError

_SERVER_TOOLS = ("web_search", "web_fetch", "code_execution", "tool_search_tool", "mcp_toolset", "advisor")
"""Types, without their dates, of tools that Anthropic's servers run."""
_TYPED_TOOL = re.compile(
    rb'(?<!\\)"(?:%b|bash_\d|text_editor_\d|memory_\d)' % b"|".join(name.encode() for name in _SERVER_TOOLS)
)
"""Found in a list that may have a tool with a type of Anthropic's. Text has a backslash before its quotes."""


def _object(required: Sequence[str], **properties: str) -> dict[str, object]:
    described = {name: {"type": type_} for name, type_ in properties.items()}
    return {"type": "object", "properties": described, "required": list(required)}


_RANGE = {"type": "array", "items": {"type": "integer"}}


def _file_commands(commands: Sequence[str], **more: str) -> dict[str, object]:
    properties: dict[str, object] = {
        "command": {"type": "string", "enum": list(commands)},
        "path": {"type": "string"},
        "view_range": _RANGE,
    }
    for name in ("file_text", "old_str", "new_str", "insert_text"):
        properties[name] = {"type": "string"}
    properties["insert_line"] = {"type": "integer"}
    properties |= {name: {"type": type_} for name, type_ in more.items()}
    return {"type": "object", "properties": properties, "required": ["command"]}


_CLIENT_TOOLS = (
    (
        "bash_",
        "Runs a command in a persistent shell and returns its output.",
        _object((), command="string", restart="boolean"),
    ),
    (
        "text_editor_",
        "Views, creates and edits text files.",
        _file_commands(("view", "create", "str_replace", "insert")),
    ),
    (
        "memory_",
        "Stores and reads notes as files below /memories.",
        _file_commands(
            ("view", "create", "str_replace", "insert", "delete", "rename"),
            old_path="string",
            new_path="string",
        ),
    ),
)
"""Tools that the client runs and Anthropic's models know: the prefix of the type, and the fields of their input as
Anthropic documents them. The request has only the name."""


class _Tool(msgspec.Struct, gc=False):
    name: str = ""
    type: str | None = None


class _Choice(msgspec.Struct, gc=False):
    type: str = ""
    name: str = ""
    disable_parallel_tool_use: bool = False


class Tools(NamedTuple):
    """The adapted values; ``ABSENT`` removes the member."""

    tools: RawJson
    tool_choice: RawJson
    ignored: tuple[str, ...] = ()
    """The kinds of tools that were taken out because Anthropic's servers run them."""
    is_one_call: bool = False
    """Whether the client asks for at most one call in a response."""


_tool = msgspec.json.Decoder(_Tool).decode
_choice = msgspec.json.Decoder(_Choice).decode


def may_need_changes(tools: RawJson, tool_choice: RawJson) -> bool:
    """Whether ``adapt_tools`` may change something; False is certain."""
    return tool_choice is not ABSENT or (tools is not ABSENT and _TYPED_TOOL.search(tools) is not None)


def adapt_tools(tools: RawJson, tool_choice: RawJson) -> Tools:
    """Return the adapted ``tools`` and ``tool_choice``.

    Raises ``BadRequestError`` for a choice of a tool that is not listed, and for a request of which all tools run on
    Anthropic's servers: without them it has no purpose. Raises ``msgspec.DecodeError`` for other types.
    """
    choice = _choice(tool_choice) if is_set(tool_choice) else _Choice()
    if choice.type == "none":
        return Tools(ABSENT, ABSENT)
    if not is_set(tools):
        return Tools(tools, tool_choice)
    items = items_of(tools)
    kept: list[tuple[_Tool, RawJson]] = []
    ignored: dict[str, str] = {}
    for raw in items:
        tool = _tool(raw)
        if (kind := _server_kind(tool)) is None:
            kept.append((tool, _described(tool, raw)))
        else:
            ignored[tool.name] = kind
    if ignored and (not kept or choice.name in ignored):
        kind = ignored.get(choice.name) or next(iter(ignored.values()))
        raise BadRequestError(
            f"Anthropic's servers run tools of the type '{kind}' themselves, which this server cannot: "
            "send tools that the client runs.",
            "tools",
        )
    if choice.type == "tool":
        kept = [(tool, raw) for tool, raw in kept if tool.name == choice.name]
        if not kept:
            raise BadRequestError(
                f"'tool_choice' names a tool that is not in 'tools': {choice.name}.", "tool_choice"
            )
    is_same = len(kept) == len(items) and all(raw is item for (_, raw), item in zip(kept, items, strict=True))
    adapted = tools if is_same else array_of(raw for _, raw in kept)
    return Tools(adapted, tool_choice, tuple(ignored.values()), choice.disable_parallel_tool_use)


def _server_kind(tool: _Tool) -> str | None:
    """Return the kind of a tool that Anthropic's servers run; None for others."""
    type_ = tool.type
    return None if type_ is None else next((kind for kind in _SERVER_TOOLS if type_.startswith(kind)), None)


def _described(tool: _Tool, raw: RawJson) -> RawJson:
    """Return the tool; with a description and a schema if it is one that Anthropic's models know by its type."""
    for prefix, description, schema in _CLIENT_TOOLS:
        if tool.type is not None and tool.type.startswith(prefix):
            return to_json({"name": tool.name, "description": description, "input_schema": schema})
    return raw
