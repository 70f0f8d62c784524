"""What is read from a chat to recognize its conversation."""

import json

import pytest

from gglib.proxy.slots.turns import (
    MAX_BEGINNING_BYTES,
    MAX_READ_BYTES,
    Turn,
    common_length,
    read_turn,
    session_of,
    with_slot,
)

SYSTEM = {"role": "system", "content": "Be brief."}
HELLO = {"role": "user", "content": "Hello"}
REPLY = {"role": "assistant", "content": "Hi."}
MORE = {"role": "user", "content": "More"}


def turn(*messages: object, session: str | None = None, **fields: object) -> Turn:
    """Return the turn of a chat with these messages."""
    found = read_turn(json.dumps({"model": "m", "messages": messages, **fields}).encode(), session)
    assert found is not None
    return found


def test_next_request_has_the_hash_of_the_last() -> None:
    """The last request's tip is among the prefixes of the next one, with the size of its messages."""
    first, second = turn(SYSTEM, HELLO), turn(SYSTEM, HELLO, REPLY, MORE)

    assert second.prefixes[first.tip] == first.size_bytes
    assert second.size_bytes == sum(len(json.dumps(one)) for one in (SYSTEM, HELLO, REPLY, MORE))
    assert second.tip not in first.prefixes
    assert len(second.prefixes) == 4


def test_only_leading_system_messages_are_common() -> None:
    """A system message after the first one of the user belongs to its conversation."""
    assert turn(SYSTEM, HELLO, SYSTEM).common_bytes == len(json.dumps(SYSTEM))
    assert turn(SYSTEM, {**SYSTEM, "role": "developer"}).common_bytes > len(json.dumps(SYSTEM))
    assert turn(HELLO).common_bytes == 0


def test_other_tools_are_another_prompt() -> None:
    """Tools stand before the messages in the prompt."""
    assert turn(HELLO, tools=[{"name": "a"}]).tip != turn(HELLO, tools=[{"name": "b"}]).tip


def test_tools_are_common() -> None:
    """They belong to the program, and to the size of the prompt."""
    with_tools = turn(SYSTEM, HELLO, tools=[{"name": "a"}])

    assert with_tools.common_bytes - turn(SYSTEM, HELLO).common_bytes == len(json.dumps([{"name": "a"}]))
    assert with_tools.size_bytes - turn(SYSTEM, HELLO).size_bytes == len(json.dumps([{"name": "a"}]))


def test_first_turn_has_one_message_after_the_system() -> None:
    """Nothing of its conversation was computed before."""
    assert turn(SYSTEM, HELLO).is_first
    assert turn(HELLO).is_first
    assert turn(SYSTEM).is_first
    assert not turn(SYSTEM, HELLO, REPLY, MORE).is_first


def test_beginning_is_bounded() -> None:
    """It stays in memory as long as the slot's prompt."""
    assert turn(HELLO).beginning.startswith(b'{"model": "m", "messages": [{"role": "user"')
    assert len(turn({**HELLO, "content": "x" * 100_000}).beginning) == MAX_BEGINNING_BYTES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"", b"", 0),
        (b"a", b"b", 0),
        (b"ab", b"ac", 1),
        (b"abc", b"abcdef", 3),
        (b"x" * 999, b"x" * 500 + b"y", 500),
    ],
)
def test_common_length(one: bytes, other: bytes, same: int) -> None:
    """The shorter one may be the beginning of the other."""
    assert common_length(one, other) == common_length(other, one) == same


def test_header_of_the_session() -> None:
    """Programs have different names for it; an empty one counts as none."""
    assert session_of({}) is None
    assert session_of({b"session-id": b"", b"x-claude-code-session-id": b"c"}) == "c"
    assert session_of({b"x-session-id": b"b\xe9", b"x-claude-code-session-id": b"c"}) == "b\xe9"


def test_header_names_the_session_before_the_body() -> None:
    """``prompt_cache_key`` counts without a header."""
    assert turn(HELLO).session is None
    assert turn(HELLO, prompt_cache_key="k").session == "k"
    assert turn(HELLO, prompt_cache_key="k", session="s").session == "s"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"prompt":"x"}',
        b'{"messages":[]}',
        b'{"messages":[1]}',
        b'{"messages":[{"role":1}]}',
        b'{"messages":[{"role":"user"}],"n":2}',
        b'{"messages":[{"role":"user"}],"n":"2"}',
        b'{"messages":[{"role":"user"}],"id_slot":-1}',
        b'{"messages":[{"role":"user"}],"lora":[]}',
        b"[" * 100_000,
        b'{"messages":[{"role":"user","content":"%b"}]}' % (b"x" * MAX_READ_BYTES),
    ],
)
def test_engine_chooses_for_other_bodies(body: bytes) -> None:
    """Bodies without messages, with several choices, a slot or adapters of their own, and long ones have no turn."""
    assert read_turn(body) is None


def test_slot_is_added() -> None:
    """The body has the slot's number, and is otherwise unchanged."""
    body = b' {"messages":[{"role":"user"}],"n":1}'

    assert with_slot(body, 3) == b'{"id_slot":3,"messages":[{"role":"user"}],"n":1}'
    assert read_turn(body) is not None
