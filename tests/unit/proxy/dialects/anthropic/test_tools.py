"""Tools and the choice between them."""

import json
from typing import Any

import msgspec
import pytest

from gglib.proxy.dialects.anthropic.raw_json import ABSENT
from gglib.proxy.dialects.anthropic.tools import Tools, adapt_tools, may_need_changes
from gglib.proxy.errors import BadRequestError

GET: dict[str, Any] = {
    "name": "get",
    "description": "d",
    "input_schema": {"type": "object", "properties": {}},
}
PUT = {**GET, "name": "put", "type": "custom"}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def raw(value: object) -> bytes | msgspec.Raw:
    """Return JSON, ``ABSENT`` for None."""
    return ABSENT if value is None else json.dumps(value).encode()


def adapted(tools: object, choice: object = None) -> Tools:
    """Return the adapted values."""
    result = adapt_tools(raw(tools), raw(choice))
    if result.tools is not ABSENT and json.loads(bytes(result.tools)) != tools:
        assert may_need_changes(raw(tools), raw(choice))
    return result


def tools_of(result: Tools) -> Any:
    """Return the tools that the engine gets."""
    return None if result.tools is ABSENT else json.loads(bytes(result.tools))


@pytest.mark.parametrize("choice", [None, {"type": "auto"}, {"type": "any"}, {"type": "new"}])
def test_usual_tools_are_the_same_bytes(choice: object) -> None:
    """So is the choice."""
    tools, chosen = raw([GET, PUT]), raw(choice)
    result = adapt_tools(tools, chosen)
    assert result.tools is tools
    assert result.tool_choice is chosen
    assert (result.ignored, result.is_one_call) == ((), False)


def test_usual_tools_are_recognized_by_the_quick_test() -> None:
    """Schemas have types of their own, and descriptions quote names."""
    tool = {**GET, "description": 'like "web_search" and "bash_1"', "input_schema": {"type": "string"}}
    assert not may_need_changes(raw([tool, PUT]), ABSENT)
    assert not may_need_changes(ABSENT, ABSENT)
    assert may_need_changes(raw([SEARCH]), ABSENT)
    assert may_need_changes(ABSENT, raw({"type": "auto"}))


def test_no_tool_is_to_be_called() -> None:
    """The engine takes ``none`` for ``auto``."""
    assert adapted([GET], {"type": "none"}) == (ABSENT, ABSENT, (), False)


def test_a_chosen_tool_is_the_only_one() -> None:
    """The engine takes the choice for ``any``."""
    result = adapted([GET, PUT], {"type": "tool", "name": "put"})
    assert tools_of(result) == [PUT]
    assert json.loads(bytes(result.tool_choice)) == {"type": "tool", "name": "put"}


def test_a_chosen_tool_must_be_listed() -> None:
    """As in Anthropic's API."""
    with pytest.raises(BadRequestError, match="not in 'tools': other") as caught:
        adapted([GET], {"type": "tool", "name": "other"})
    assert caught.value.param == "tool_choice"


def test_one_call_at_a_time() -> None:
    """The engine has it in chat completions only."""
    assert adapted([GET], {"type": "auto", "disable_parallel_tool_use": True}).is_one_call


def test_tools_of_anthropics_servers_are_taken_out() -> None:
    """The engine would make functions of them that the client cannot run."""
    fetch = {"type": "web_fetch_20250910", "name": "fetch"}
    result = adapted([SEARCH, GET, fetch])
    assert tools_of(result) == [GET]
    assert result.ignored == ("web_search", "web_fetch")


@pytest.mark.parametrize(
    ("tools", "choice"),
    [([SEARCH], None), ([SEARCH, GET], {"type": "tool", "name": "web_search"}), ([SEARCH], {"type": "any"})],
)
def test_a_request_for_such_a_tool_is_refused(tools: object, choice: object) -> None:
    """Without it, it has no purpose: the model would invent what it found."""
    with pytest.raises(BadRequestError, match="'web_search'") as caught:
        adapted(tools, choice)
    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("type_", "name", "field"),
    [
        ("bash_20250124", "bash", "restart"),
        ("text_editor_20250728", "str_replace_based_edit_tool", "old_str"),
        ("memory_20250818", "memory", "old_path"),
    ],
)
def test_tools_that_the_client_runs_get_a_schema(type_: str, name: str, field: str) -> None:
    """Anthropic's models know them; others need their fields."""
    (tool,) = tools_of(adapted([{"type": type_, "name": name}]))
    assert tool["name"] == name
    assert tool["description"]
    assert {"command", field} <= tool["input_schema"]["properties"].keys()


def test_missing_values_stay() -> None:
    """Clients send null for what they do not set."""
    for tools, choice in ((None, {"type": "auto"}), ([], None)):
        assert adapt_tools(raw(tools), raw(choice))[:2] == (raw(tools), raw(choice))
    assert adapt_tools(b"null", b"null")[:2] == (b"null", b"null")


def test_another_type_raises() -> None:
    """The request is then left to the engine."""
    for tools, choice in (({"a": 1}, {"type": "auto"}), ([1], {"type": "auto"}), ([GET], "auto")):
        with pytest.raises(msgspec.DecodeError):
            adapt_tools(raw(tools), raw(choice))
