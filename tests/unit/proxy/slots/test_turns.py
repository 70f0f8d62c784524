"""What is read from a chat to recognize its conversation."""

import json

import pytest

from gglib.proxy.slots.turns import MAX_READ_BYTES, Turn, read_turn, with_slot

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

    assert with_slot(body, 3) == b' {"id_slot":3,"messages":[{"role":"user"}],"n":1}'
    assert read_turn(body) is not None
