"""Reads from a chat which conversation it continues: hashes of its messages, from the first to each one. Pure.

A client sends the whole conversation with each request, so the last request's hash is among those of the next one.
The hashes are Python's, which are keyed for each process, and quick. Two conversations with the same one would take the
same slot by turns, and nothing else.
"""

from dataclasses import dataclass, field

import msgspec

MAX_READ_BYTES = 1024 * 1024
"""Longer bodies have no turn: as many bytes take a millisecond, on the event loop."""
_COMMON_ROLES = frozenset(("system", "developer"))
"""Roles of the messages that conversations of one program have in common."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a conversation."""

    prefixes: dict[int, int]
    """For each message, in order: the hash of all messages up to it (and of the tools), and their size in bytes."""
    common_bytes: int
    """Size of the leading system messages, which other conversations may have, too."""
    session: str | None = None
    """What the client names its conversation. Requests with different names are different conversations."""
    tip: int = field(init=False)
    """The hash of all messages."""
    size_bytes: int = field(init=False)
    """The size of all messages."""

    def __post_init__(self) -> None:
        tip = next(reversed(self.prefixes))
        object.__setattr__(self, "tip", tip)
        object.__setattr__(self, "size_bytes", self.prefixes[tip])


class _Role(msgspec.Struct):
    role: str = ""


class _Chat(msgspec.Struct):
    messages: list[msgspec.Raw] = []
    tools: msgspec.Raw = msgspec.Raw()
    prompt_cache_key: str | None = None
    n: int | None = None
    id_slot: msgspec.Raw = msgspec.Raw()
    lora: msgspec.Raw = msgspec.Raw()


def read_turn(body: bytes, session: str | None = None) -> Turn | None:
    """Return the turn of a chat; None if the engine has to choose the slot.

    That is a body without messages or with more than ``MAX_READ_BYTES``, one that chooses a slot or adapters itself,
    and one for several choices, which take a slot each. ``session`` is the conversation's name in a header;
    ``prompt_cache_key`` is used without one.
    """
    if len(body) > MAX_READ_BYTES:
        return None
    try:
        chat = msgspec.json.decode(body, type=_Chat)
        if not chat.messages or chat.id_slot or chat.lora or (chat.n or 1) > 1:
            return None
        return _turn_of(chat, session or chat.prompt_cache_key)
    except (msgspec.DecodeError, RecursionError):
        return None


def with_slot(body: bytes, slot: int) -> bytes:
    """Return a body that has a turn, with the number of its slot."""
    start = body.index(b"{") + 1
    return b'%b"id_slot":%d,%b' % (body[:start], slot, body[start:])


def _turn_of(chat: _Chat, session: str | None) -> Turn:
    key = hash(bytes(chat.tools))
    prefixes: dict[int, int] = {}
    size_bytes = common_bytes = 0
    is_common = True
    for message in chat.messages:
        text = bytes(message)
        key = hash((key, text))
        size_bytes += len(text)
        prefixes[key] = size_bytes
        is_common = is_common and msgspec.json.decode(message, type=_Role).role in _COMMON_ROLES
        if is_common:
            common_bytes = size_bytes
    return Turn(prefixes, common_bytes, session)
