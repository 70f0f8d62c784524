"""Requests as they are sent to the engine."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.anthropic.requests import adapt_request
from gglib.proxy.errors import BadRequestError

HI = [{"role": "user", "content": "hi"}]
LINE = "x-anthropic-billing-header: cc_version=2.1.197.b3f; cc_entrypoint=cli;"
TOOL = {"name": "get", "description": "d", "input_schema": {"type": "object"}}
SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}


def body(**members: object) -> bytes:
    """Return a request."""
    return json.dumps({"model": "tiny", "max_tokens": 9, "messages": HI, **members}).encode()


def sent(**members: object) -> dict[str, Any]:
    """Return what the engine gets."""
    result: dict[str, Any] = json.loads(adapt_request(body(**members)).body)
    return result


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"stream": True, "temperature": 1, "top_k": 5, "stop_sequences": ["x"]},
        {"system": "You are an agent."},
        {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]},
        {"thinking": {"type": "adaptive"}},
        {"thinking": None, "output_config": None, "system": None, "tools": None, "tool_choice": None},
        {"output_config": {"effort": "high"}},
        {"output_config": {"effort": "medium"}},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
        {"metadata": {"user_id": "u"}, "service_tier": "auto", "container": "c", "mcp_servers": []},
        {"tool_choice": {"type": "any"}, "tools": [TOOL]},
        {"messages": [*HI, {"role": "assistant", "content": "The"}]},
    ],
)
def test_what_the_engine_reads_or_may_ignore_is_forwarded_byte_for_byte(members: dict[str, Any]) -> None:
    """White space and order, too."""
    given = body(**members).replace(b": ", b" :  ")
    result = adapt_request(given)
    assert result.body is given
    assert result[1:] == ((), False)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"null",
        b"{}",
        b'{"messages": 1, "thinking": {"type": "disabled"}}',
        b'{"messages": [1], "thinking": {"type": "disabled"}}',
        b'{"messages": [], "thinking": "disabled"}',
        b'{"messages": [], "thinking": {"type": "disabled"}, "chat_template_kwargs": 1}',
        b'{"messages": [], "output_config": []}',
        b'{"messages": [], "thinking": {"type": "disabled"}',
        b'{"messages": [{"role": "user", "content": "\xff"}], "thinking": {"type": "disabled"}}'[:-1],
        b'{"messages": [], "thinking": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_invalid_request_stays(given: bytes) -> None:
    """The checks of every body, or the engine, say what is wrong."""
    assert adapt_request(given).body is given


def test_the_billing_line_is_removed() -> None:
    """All other members are the same bytes in the same order."""
    given = b'{ "model" : "m" , "system":[{"type":"text","text":"%b"}, {"type":"text", "text":"a"}], "messages":[] }'
    expected = b'{"model":"m","system":[{"type":"text", "text":"a"}],"messages":[]}'
    assert adapt_request(given % LINE.encode()).body == expected
    assert "system" not in sent(system=LINE)


def test_leading_system_messages_join_the_system_prompt() -> None:
    """The engine joins its blocks without a separator."""
    messages = [{"role": "system", "content": "s"}, *HI]
    block = {"type": "text", "text": "s"}
    after = {"type": "text", "text": "\n\ns"}
    first = {"type": "text", "text": "a"}
    assert sent(messages=messages)["system"] == [block]
    assert sent(messages=messages, system="a")["system"] == [first, after]
    assert sent(messages=messages, system=[first])["system"] == [first, after]
    assert sent(messages=messages, system=LINE)["system"] == [block]
    assert sent(messages=messages, system=None)["system"] == [block]
    assert sent(messages=messages)["messages"] == HI
    assert sent(messages=[*HI, *HI], system="a")["system"] == "a"


@pytest.mark.parametrize(
    ("members", "kwargs"),
    [
        ({"thinking": {"type": "disabled"}}, {"enable_thinking": False}),
        ({"thinking": {"type": "between_tools"}}, {"enable_thinking": False}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"enable_thinking": True}),
        ({"output_config": {"effort": "low"}}, {"reasoning_effort": "low"}),
        ({"output_config": {"effort": "xhigh"}}, {"reasoning_effort": "high"}),
        ({"output_config": {"effort": "max"}}, {"reasoning_effort": "high"}),
        (
            {"thinking": {"type": "enabled"}, "output_config": {"effort": "max"}},
            {"enable_thinking": True, "reasoning_effort": "high"},
        ),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, {"enable_thinking": False}),
    ],
)
def test_thinking_and_effort_become_variables_of_the_template(
    members: dict[str, Any], kwargs: dict[str, Any]
) -> None:
    """What the client sets itself stays."""
    assert sent(**members)["chat_template_kwargs"] == kwargs
    assert {name: sent(**members)[name] for name in members} == members
    own = {"enable_thinking": 1, "other": [1]}
    assert sent(**members, chat_template_kwargs=own)["chat_template_kwargs"] == {**kwargs, **own}
    assert sent(**members, chat_template_kwargs=None)["chat_template_kwargs"] == kwargs


@pytest.mark.parametrize(
    "members",
    [
        {"output_config": {"format": SCHEMA, "effort": "high"}},
        {"output_format": SCHEMA},
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ],
)
def test_what_only_chat_completions_have(members: dict[str, Any]) -> None:
    """The engine's messages ignore it."""
    assert adapt_request(body(**members)).needs_chat
    assert not adapt_request(body(output_config={"format": None}, output_format=None)).needs_chat


def test_tools_are_adapted() -> None:
    """``test_tools.py`` has the cases."""
    search = {"type": "web_search_20250305", "name": "web_search"}
    result = adapt_request(body(tools=[search, TOOL]))
    assert json.loads(result.body)["tools"] == [TOOL]
    assert result.ignored_tools == ("web_search",)
    without = sent(tools=[TOOL], tool_choice={"type": "none"})
    assert "tools" not in without
    assert "tool_choice" not in without
    with pytest.raises(BadRequestError):
        adapt_request(body(tools=[search]))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=4), st.text(max_size=9))
def test_all_other_members_survive(others: dict[str, Any], words: str) -> None:
    """Whatever they are."""
    messages = [{"role": "user", "content": words}]
    expected = {**others, "messages": messages, "thinking": {"type": "disabled"}}
    result = json.loads(adapt_request(json.dumps(expected).encode()).body)
    result.pop("chat_template_kwargs", None)
    expected.pop("chat_template_kwargs", None)
    assert result == expected
