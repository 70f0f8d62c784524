"""Messages in the form that chat templates accept."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.anthropic.turns import Message, may_need_changes, normalize_turns

decode = msgspec.json.Decoder(list[Message]).decode
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "12"}
CALL = {"type": "tool_use", "id": "t1", "name": "count", "input": {}}
REMINDER = "<system-reminder>\nbe brief\n</system-reminder>"


def text(words: str) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": words}


def user(content: object) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": content}


def assistant(content: object) -> dict[str, Any]:
    """Return a message of the model."""
    return {"role": "assistant", "content": content}


def system(content: object) -> dict[str, Any]:
    """Return a system message."""
    return {"role": "system", "content": content}


def normalized(messages: list[Any]) -> tuple[list[Any], list[str]]:
    """Return the messages in their normal form, and the texts for the system prompt."""
    raw = json.dumps(messages).encode()
    parsed = decode(raw)
    turns = normalize_turns(parsed, raw)
    if turns is None:
        return messages, []
    assert may_need_changes(parsed)
    return json.loads(turns.messages), [json.loads(b'"%b"' % words) for words in turns.system]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [user("a")],
        [user("a"), assistant("b"), user([text("c"), text("d")])],
        [user("a"), assistant([CALL]), user([RESULT]), assistant("b")],
        [user("a"), assistant([text("x"), CALL]), user([RESULT, RESULT])],
        [user('a "tool_result" and a "document"')],
        [user([])],
        [{"role": "tool", "content": "a"}, {"role": "tool", "content": "b"}],
    ],
)
def test_messages_in_their_normal_form_stay(messages: list[Any]) -> None:
    """Nothing is written anew."""
    raw = json.dumps(messages).encode()
    assert normalize_turns(decode(raw), raw) is None


def test_most_requests_are_recognized_by_the_quick_test() -> None:
    """It reads each content once."""
    assert not may_need_changes(decode(json.dumps([user("a"), assistant("b"), user([text("c")])])))
    assert may_need_changes(decode(json.dumps([user("a"), system("b")])))
    assert may_need_changes(decode(json.dumps([user("a"), user("b")])))
    assert may_need_changes(decode(json.dumps([user([RESULT])])))
    assert may_need_changes(decode(json.dumps([user([{"type": "document", "source": {}}])])))


def test_a_system_message_at_the_beginning_is_part_of_the_system_prompt() -> None:
    """There it cannot change the beginning of later prompts."""
    assert normalized([system("one"), system([text('"two"'), text("é")]), user("a")]) == (
        [user("a")],
        ["one", '"two"\n\né'],
    )
    assert normalized([system("one")]) == ([], ["one"])


def test_a_later_system_message_becomes_text_of_the_user() -> None:
    """At its position, as Claude Code itself marks such text for other models."""
    assert normalized([user("a"), system("be brief"), assistant("b"), user("c")]) == (
        [user([text("a"), text(REMINDER)]), assistant("b"), user("c")],
        [],
    )
    assert normalized([user("a"), assistant("b"), system([text("be brief")]), user([text("c")])])[0] == [
        user("a"),
        assistant("b"),
        user([text(REMINDER), text("c")]),
    ]


def test_the_next_turn_begins_with_the_last_one() -> None:
    """Else the engine's prompt cache would end at the change."""
    first = [user([text("a")]), system("be brief")]
    steps = [*first, assistant([CALL]), user([RESULT]), system("be brief"), assistant("b"), user("c")]
    last, _ = normalized(steps)
    for length in (2, 5, 6):
        turns, _ = normalized(steps[:length])
        assert last[: len(turns)] == turns


def test_messages_of_one_role_are_one_turn() -> None:
    """As in Anthropic's API; empty strings add nothing."""
    assert normalized([user("a"), user([text("b")]), user(""), assistant("c"), assistant([CALL])])[0] == [
        user([text("a"), text("b")]),
        assistant([text("c"), CALL]),
    ]
    assert normalized([user(""), user("")])[0] == [user("")]
    assert normalized([user("a"), {"role": "tool", "content": "x"}, user("b"), user("c")])[0] == [
        user("a"),
        {"role": "tool", "content": "x"},
        user([text("b"), text("c")]),
    ]


def test_text_comes_after_tool_results() -> None:
    """The engine would put it between the call and its result."""
    assert normalized([user([RESULT, text("stop"), RESULT])])[0] == [
        user([RESULT, RESULT]),
        user([text("stop")]),
    ]
    assert normalized([user([RESULT]), user("stop")])[0] == [user([RESULT]), user([text("stop")])]
    assert normalized([assistant([RESULT, text("x")])])[0] == [assistant([RESULT, text("x")])]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("12", [text("12"), text(f"\n\n{REMINDER}")]),
        ([text("12")], [text("12"), text(f"\n\n{REMINDER}")]),
        (None, [text(f"\n\n{REMINDER}")]),
    ],
)
def test_a_reminder_is_the_end_of_the_last_result(content: object, expected: object) -> None:
    """As a message of its own it would break the alternation of roles."""
    result = {**RESULT, "content": content}
    ended = {**RESULT, "content": expected}
    assert normalized([user([RESULT, result, text(REMINDER)])])[0] == [user([RESULT, ended])]
    assert normalized([user([RESULT, result]), system("be brief")])[0] == [user([RESULT, ended])]
    assert normalized([user([result, text(REMINDER), text("stop")])])[0] == [
        user([ended]),
        user([text("stop")]),
    ]


def test_a_result_without_content_may_get_a_reminder() -> None:
    """The member is optional."""
    result = {"type": "tool_result", "tool_use_id": "t"}
    ended = {**result, "content": [text(f"\n\n{REMINDER}")]}
    assert normalized([user([result, text(REMINDER)])])[0] == [user([ended])]


def test_documents_are_converted() -> None:
    """In a message, and in a tool result of one."""
    document = {"type": "document", "source": {"type": "text", "data": "D"}}
    as_text = text("<document>\nD\n</document>")
    assert normalized([user([document, text("a")])])[0] == [user([as_text, text("a")])]
    result = {**RESULT, "content": [document]}
    assert normalized([user([result])])[0] == [user([{**RESULT, "content": [as_text]}])]


def test_unchanged_messages_keep_their_bytes() -> None:
    """Beside changed ones."""
    last = b'{"role":"assistant", "content":"b"}'
    raw = b'[ {"role" : "user","content":"\\u0061 "} ,{"role":"system","content":"s"},' + last + b"]"
    turns = normalize_turns(decode(raw), raw)
    assert turns is not None
    assert turns.messages.endswith(b"," + last + b"]")
    assert rb"\u0061 " in turns.messages


@pytest.mark.parametrize("messages", [[user(1), user("a")], [user("a"), user(None)], [user([1]), user("a")]])
def test_content_of_another_type_raises(messages: list[Any]) -> None:
    """The request is then left to the engine."""
    raw = json.dumps(messages).encode()
    with pytest.raises(msgspec.DecodeError):
        normalize_turns(decode(raw), raw)


contents = st.one_of(
    st.text(max_size=5),
    st.lists(st.sampled_from([text("x"), text(REMINDER), RESULT, CALL]), max_size=4),
)
histories = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system"]),
        contents,
    ),
    max_size=8,
)


def has_results_only(message: dict[str, Any]) -> bool:
    """Whether a message has tool results and nothing else."""
    return isinstance(message["content"], list) and all(
        block["type"] == "tool_result" for block in message["content"]
    )


@given(histories)
def test_normal_form(messages: list[Any]) -> None:
    """No system messages, alternating roles but after tool results, no text beside them; once is enough."""
    found, _ = normalized(messages)
    assert all(message["role"] != "system" for message in found)
    for one, other in pairwise(found):
        assert one["role"] != other["role"] or has_results_only(one)
    for message in found:
        kinds = {block["type"] for block in message["content"] if isinstance(block, dict)}
        assert message["role"] != "user" or "tool_result" not in kinds or kinds == {"tool_result"}
    again, texts = normalized(found)
    assert (again, texts) == (found, [])
