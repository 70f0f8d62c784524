"""Translates the tools of a Responses request to those of a chat, and the names of calls back. Pure.

Chats have functions only. A tool in a namespace becomes a function with a joined name, and a custom tool, whose input
is plain text, a function with one text argument. Tools that OpenAI's servers run themselves, such as web search, are
dropped: the model cannot call them here, and clients such as codex always offer them.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gglib.proxy.errors import BadRequestError

Object = dict[str, object]

CUSTOM_INPUT = "input"
"""The only argument of a custom tool."""
_SEPARATOR = "__"
_FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
_CUSTOM_PARAMETERS: Object = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}
_FUNCTION_KINDS = ("function", "custom")
_MODES = ("none", "auto", "required")
"""Tuples, because a client may send what cannot be hashed."""


class Tool(NamedTuple):
    """A tool as the client knows it."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


class Tools(NamedTuple):
    """The tools of a request in a chat."""

    functions: tuple[Object, ...]
    """The ``tools`` of the chat."""
    by_function: Mapping[str, Tool]
    """The client's tool by the name of its function; functions without a namespace are missing."""

    def find(self, function: str) -> Tool:
        """Return the tool that a call of ``function`` means."""
        return self.by_function.get(function) or Tool(function)


def function_name(name: str, namespace: object) -> str:
    """Return the name of a tool's function in the chat."""
    return f"{namespace}{_SEPARATOR}{name}" if isinstance(namespace, str) and namespace else name


def read_tools(value: object) -> Tools:
    """Return the tools of a request. Raises ``BadRequestError`` unless ``value`` is an array of objects, or None."""
    if value is None:
        return Tools((), {})
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise BadRequestError("'tools' must be an array of objects.", "tools")
    functions: list[Object] = []
    by_function: dict[str, Tool] = {}
    for tool, namespace in _flat(value):
        name = tool.get("name")
        if not isinstance(name, str) or not name:
            raise BadRequestError("Each function in 'tools' needs a 'name'.", "tools")
        function = function_name(name, namespace)
        is_custom = tool.get("type") == "custom"
        if is_custom or namespace is not None:
            by_function[function] = Tool(name, namespace, is_custom)
        functions.append({"type": "function", "function": _function(tool, function, is_custom=is_custom)})
    return Tools(tuple(functions), by_function)


def read_tool_choice(value: object) -> object:
    """Return the ``tool_choice`` of the chat: a mode, one function, or some of the tools.

    Raises ``BadRequestError`` for a choice of a tool that OpenAI's servers run themselves.
    """
    if value is None or isinstance(value, str):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(value, dict) and kind in _FUNCTION_KINDS and isinstance(value.get("name"), str):
        name = function_name(str(value["name"]), value.get("namespace"))
        return {"type": "function", "function": {"name": name}}
    if isinstance(value, dict) and kind == "allowed_tools":
        allowed = [read_tool_choice(tool) for tool in _objects(value.get("tools")) if _is_function(tool)]
        return {
            "type": "allowed_tools",
            "allowed_tools": {"mode": value.get("mode") or "auto", "tools": allowed},
        }
    if kind in _MODES:
        return kind
    raise BadRequestError(
        "'tool_choice' must be 'none', 'auto', 'required', a function or 'allowed_tools': this server has no tools of "
        "its own.",
        "tool_choice",
    )


def _flat(tools: list[Object]) -> Iterator[tuple[Object, str | None]]:
    """Yield the functions and custom tools, each with its namespace."""
    for tool in tools:
        if _is_function(tool):
            yield tool, None
        elif tool.get("type") == "namespace":
            for member in _objects(tool.get("tools")):
                if _is_function(member):
                    yield member, str(tool.get("name") or "")


def _is_function(tool: Object) -> bool:
    return tool.get("type") in _FUNCTION_KINDS


def _objects(value: object) -> Iterator[Object]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _function(tool: Object, name: str, *, is_custom: bool) -> Object:
    fields: Object = {key: tool[key] for key in _FUNCTION_FIELDS if tool.get(key) is not None} | {
        "name": name
    }
    if is_custom:
        fields["parameters"] = _CUSTOM_PARAMETERS
        form = tool.get("format")
        if isinstance(form, dict) and isinstance(form.get("definition"), str):
            described = str(tool.get("description") or "")
            fields["description"] = f"{described}\n\nThe format of the input:\n{form['definition']}".lstrip()
    return fields
