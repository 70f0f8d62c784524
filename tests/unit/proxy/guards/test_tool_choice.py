"""A choice of single tools becomes edits of the body; everything else stays as it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.envelope import apply_edits, read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.tool_choice import MAX_CHOICE_BYTES, ToolUse

A = '{ "type":"function", "function": {"name": "a\\u0062", "x": [1, {"y": "]"}]}}'
"""A tool called ``ab``, with an escape and brackets in strings."""
B = '{"type":"function","function":{"name":"b","description":"é"}}'
FLAT = '{"name":"c","input_schema":{}}'
LENGTHS = pytest.mark.parametrize("more", ["", "x" * 5000], ids=["short", "long"])


def body_of(tools: str, choice: str, more: str = "") -> bytes:
    """Return a body with the JSON of tools and choice, with white space around them."""
    return f'{{"model":"m","tool_choice" : {choice} , "tools": {tools} ,"a":"{more}"}}'.encode()


def edited(tools: str, choice: str, more: str = "") -> tuple[ToolUse | None, bytes]:
    """Return the tool use of a body, and the body for the engine."""
    body = body_of(tools, choice, more)
    envelope = read_envelope(body)
    return envelope.tool_use, apply_edits(body, envelope.edits)


@LENGTHS
@pytest.mark.parametrize(
    "choice",
    [
        '{"type":"function","function":{"name":"ab"}}',
        '{"type":"function","name":"ab"}',
        '{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"ab"}}]}}',
        '{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"ab"}]}',
    ],
)
def test_a_named_function_is_the_only_tool(choice: str, more: str) -> None:
    """The others are cut out and a call is required; the tool's own bytes stay."""
    tool_use, body = edited(f"[ {A}\n, {B} ]", choice, more)
    assert tool_use == ToolUse(is_required=True)
    assert body == body_of(f"[{A}]", '"required"', more)


@LENGTHS
def test_several_tools_may_be_allowed(more: str) -> None:
    """They keep their order, and the mode stays ``auto``."""
    names = json.dumps([{"type": "function", "function": {"name": name}} for name in ("b", "ab")])
    choice = f'{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":{names}}}}}'
    tool_use, body = edited(f"[{A},{FLAT},{B}]", choice, more)
    assert tool_use == ToolUse(is_required=False)
    assert body == body_of(f"[{A},{B}]", '"auto"', more)


@LENGTHS
def test_anthropics_named_tool(more: str) -> None:
    """The engine takes it for any tool: only the tools change."""
    choice = '{"type":"tool","name":"c"}'
    assert edited(f"[{A},{FLAT}]", choice, more) == (
        ToolUse(is_required=True),
        body_of(f"[{FLAT}]", choice, more),
    )


@LENGTHS
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("null", ToolUse(is_required=False)),
        ('"auto"', ToolUse(is_required=False)),
        ('"banana"', ToolUse(is_required=False)),
        ('"required"', ToolUse(is_required=True)),
        ('{"type":"any"}', ToolUse(is_required=True)),
        ('{"type":"auto"}', ToolUse(is_required=False)),
        ('{"type":["x"]}', ToolUse(is_required=False)),
        ('"none"', None),
        ('{"type":"none"}', None),
        ("[1]", ToolUse(is_required=False)),
    ],
)
def test_other_choices_change_nothing(choice: str, expected: ToolUse | None, more: str) -> None:
    """The engine knows the modes, and refuses unknown ones itself."""
    assert edited(f"[{A}]", choice, more) == (expected, body_of(f"[{A}]", choice, more))


@LENGTHS
@pytest.mark.parametrize("tools", ["[]", "[ ]", "null", "{}", '"x"'])
def test_without_tools_there_is_no_use(tools: str, more: str) -> None:
    """The engine decides about what is no array."""
    assert edited(tools, '"required"', more) == (None, body_of(tools, '"required"', more))


@LENGTHS
@pytest.mark.parametrize(
    ("tools", "choice", "words"),
    [
        (
            f"[{A},{B}]",
            '{"type":"function","function":{"name":"x"}}',
            "'x', which is not one of the 'tools': ab, b",
        ),
        ("[]", '{"type":"function","function":{"name":"x"}}', "'tools': none"),
        (f"[{A}]", '{"type":"function","function":{"name":3}}', "needs the name"),
        (f"[{A}]", '{"type":"function"}', "needs the name"),
        (f"[{A}]", '{"type":"tool","name":"x"}', "'x'"),
        (f"[{A}]", '{"type":"allowed_tools","tools":[3]}', "needs the name"),
        (f"[{A}]", '{"type":"allowed_tools","tools":[]}', "allows no tools"),
        (f"[{A}]", f'{{"type":"{"x" * MAX_CHOICE_BYTES}"}}', "larger than 64 KiB"),
    ],
)
def test_what_is_refused(tools: str, choice: str, words: str, more: str) -> None:
    """The error names the field, and the tools that the request has."""
    with pytest.raises(BadRequestError, match=words) as caught:
        read_envelope(body_of(tools, choice, more))
    assert caught.value.param == "tool_choice"


def test_a_choice_without_tools_is_left_to_the_engine() -> None:
    """It is forwarded as it is."""
    body = b'{"model":"m","tool_choice":{"type":"function","function":{"name":"x"}}}'
    assert (read_envelope(body).edits, read_envelope(body).tool_use) == ((), None)


def test_edits_of_token_limits_and_tools_are_in_body_order() -> None:
    """A limit between tools and choice is clamped, too."""
    body = (
        f'{{"model":"m","tools":[{A},{B}],"max_tokens":1e12,"tool_choice":{{"type":"function","name":"b"}}}}'
    )
    read = read_envelope(body.encode())
    result = apply_edits(body.encode(), read.edits).decode()
    assert result == f'{{"model":"m","tools":[{B}],"max_tokens":2147483647,"tool_choice":"required"}}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)


@given(
    tools=st.dictionaries(st.text(min_size=1), json_values, min_size=1, max_size=4),
    data=st.data(),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
def test_the_chosen_tool_is_unchanged_for_all_tools(
    tools: dict[str, Any], data: st.DataObject, *, is_ascii: bool, indent: int | None
) -> None:
    """Whatever the tools contain, the engine gets the chosen one as the client sent it."""
    name = data.draw(st.sampled_from(sorted(tools)))
    objects = [
        {"type": "function", "function": {"name": key, "parameters": value}} for key, value in tools.items()
    ]
    sent = {"model": "m", "tools": objects, "tool_choice": {"type": "function", "function": {"name": name}}}
    body = json.dumps(sent, ensure_ascii=is_ascii, indent=indent).encode()
    received = json.loads(apply_edits(body, read_envelope(body).edits))
    chosen = [tool for tool in objects if tool["function"]["name"] == name]  # type: ignore[index]
    assert received == {**sent, "tools": chosen, "tool_choice": "required"}
