"""Reads from a chat which conversation it continues: hashes of its messages, from the first to each one. Pure.

A client sends the whole conversation with each request, so the last request's hash is among those of the next one.
The hashes are Python's, which are keyed for each process, and quick. Two conversations with the same one would take the
same slot by turns, and nothing else.
"""

from collections.abc import Mapping

import msgspec

MAX_READ_BYTES = 1024 * 1024
"""Longer bodies have no turn. As many bytes take 3 ms."""
MAX_BEGINNING_BYTES = 32 * 1024
"""How much of a body is kept, to find what it shares with others."""
MAX_PREFIXES = 256
"""Hashes that are kept of a slot's prompt: those of its last messages. Bounds the memory of a table."""
MIN_SHARED_BYTES = 256
"""Bodies that have less in common share the form of a program's requests, not their prompt."""
MIN_SHARED_PART = 10
"""A prompt begins like a request with a tenth of it, as llama.cpp has it (``--slot-prompt-similarity``)."""
_KEPT_SHARE = 0.5
"""An earlier form of a conversation shares at least this share of what follows the system messages."""
CHAT_TARGETS = frozenset((b"/v1/chat/completions", b"/chat/completions"))
"""Targets of requests whose bodies are read here. Translated dialects are chats by then. llama.cpp drops ``id_slot``
from Anthropic's Messages (b10068 and b11549)."""
SESSION_HEADERS = (b"x-session-affinity", b"x-session-id", b"session-id", b"x-claude-code-session-id")
"""Headers in which programs name a conversation: opencode sends the first two, Codex the third, Claude Code the last.
Requests of one session may still be different conversations: a title has messages of its own."""
_COMMON_ROLES = frozenset(("system", "developer"))
"""Roles of the messages that conversations of one program have in common."""


class Turn:
    """One request of a conversation, and then the prompt that its slot has.

    Only the table changes it: a frozen dataclass takes a microsecond more to create.
    """

    __slots__ = (
        "beginning",
        "common_bytes",
        "has_returned",
        "is_first",
        "prefixes",
        "session",
        "size_bytes",
        "tip",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - positional, because each request creates one
        self,
        prefixes: dict[int, int],
        tip: int,
        size_bytes: int,
        common_bytes: int,
        session: str | None,
        beginning: bytes,
        is_first: bool,  # noqa: FBT001
    ) -> None:
        self.prefixes = prefixes
        """For each message, in order: the hash of the tools and all messages up to it, and their size in bytes."""
        self.tip = tip
        """The hash of all messages."""
        self.size_bytes = size_bytes
        """The size of the tools and all messages."""
        self.common_bytes = common_bytes
        """Size of the tools and the leading system messages, which other conversations may have, too."""
        self.session = session
        """What the client names its conversation. Requests with different names are different conversations."""
        self.beginning = beginning
        """The first bytes of the body."""
        self.is_first = is_first
        """Whether a single message follows the system messages: nothing of the conversation was computed before."""
        self.has_returned = False
        """Whether its conversation had a request before, as the table finds."""

    def is_continued_by(self, turn: "Turn") -> bool:
        """Whether the request has all of these messages, and perhaps more."""
        return self.tip in turn.prefixes and self.session == turn.session

    def is_earlier_form_of(self, turn: "Turn") -> bool:
        """Whether the request has most of these messages: one was edited, or generated anew."""
        own_bytes = self.size_bytes - self.common_bytes
        if self.session != turn.session or own_bytes <= 0:
            return False
        return self.same_messages_bytes(turn) - self.common_bytes >= own_bytes * _KEPT_SHARE

    def same_messages_bytes(self, turn: "Turn") -> int:
        """Return the size of the messages at the beginning that both have."""
        return max((self.prefixes[key] for key in self.prefixes.keys() & turn.prefixes.keys()), default=0)

    def shared_bytes(self, turn: "Turn") -> int:
        """Return how much of this prompt the request begins with; 0 if it is too little to matter."""
        shared_bytes = max(self.same_messages_bytes(turn), common_length(self.beginning, turn.beginning))
        return shared_bytes if is_enough(shared_bytes, turn) else 0

    def is_mostly_shared(self, turn: "Turn") -> bool:
        """Whether the request begins with nearly all of this prompt: little is lost if it replaces it."""
        return (self.size_bytes - self.shared_bytes(turn)) * MIN_SHARED_PART <= self.size_bytes

    def trim(self) -> None:
        """Keep the hashes of the last messages, for the time that the prompt stays in its slot."""
        if len(self.prefixes) > MAX_PREFIXES:
            self.prefixes = dict(list(self.prefixes.items())[-MAX_PREFIXES:])


def is_enough(shared_bytes: int, turn: Turn) -> bool:
    """Whether so much in common with a request is more than the form of a program's requests, and worth something."""
    return shared_bytes >= MIN_SHARED_BYTES and shared_bytes * MIN_SHARED_PART >= turn.size_bytes


class _Role(msgspec.Struct):
    role: str = ""


class _Chat(msgspec.Struct):
    messages: list[msgspec.Raw] = []
    tools: msgspec.Raw = msgspec.Raw()
    prompt_cache_key: str | None = None
    n: int | None = None
    id_slot: msgspec.Raw = msgspec.Raw()
    lora: msgspec.Raw = msgspec.Raw()


_decode_chat = msgspec.json.Decoder(_Chat).decode
_decode_role = msgspec.json.Decoder(_Role).decode


def read_turn(body: bytes, session: str | None = None) -> Turn | None:
    """Return the turn of a chat; None if the engine has to choose the slot.

    That is a body without messages or with more than ``MAX_READ_BYTES``, one that chooses a slot or adapters itself,
    and one for several choices, which take a slot each. ``session`` is the conversation's name in a header;
    ``prompt_cache_key`` is used without one.
    """
    if len(body) > MAX_READ_BYTES:
        return None
    try:
        chat = _decode_chat(body)
        messages = chat.messages
        if not messages or chat.id_slot or chat.lora or (chat.n or 1) > 1:
            return None
        tools = bytes(chat.tools)
        key = hash(tools)
        prefixes: dict[int, int] = {}
        size_bytes = common_bytes = len(tools)
        common_count = 0
        is_common = True
        for message in messages:
            text = bytes(message)
            key = hash((key, text))
            size_bytes += len(text)
            prefixes[key] = size_bytes
            if is_common:
                is_common = _decode_role(text).role in _COMMON_ROLES
                if is_common:
                    common_bytes = size_bytes
                    common_count += 1
    except (msgspec.DecodeError, RecursionError):
        return None
    return Turn(
        prefixes,
        key,
        size_bytes,
        common_bytes,
        session or chat.prompt_cache_key,
        body[:MAX_BEGINNING_BYTES],
        len(messages) <= common_count + 1,
    )


def session_of(fields: Mapping[bytes, bytes]) -> str | None:
    """Return the name of the conversation in a request's headers (names in lower case), if one has it."""
    for name in SESSION_HEADERS:
        value = fields.get(name)
        if value:
            return value.decode("latin-1")
    return None


def with_slot(body: bytes, slot: int) -> bytes:
    """Return a body that has a turn, with the number of its slot."""
    return b'{"id_slot":%d,%b' % (slot, body[body.index(b"{") + 1 :])


def common_length(one: bytes, other: bytes) -> int:
    """Return how many bytes at the beginning are the same in both. By bisection: 15 comparisons for 32 KiB."""
    same, rest = 0, min(len(one), len(other))
    if one.startswith(other[:rest]):
        return rest
    while rest - same > 1:
        middle = (same + rest) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            rest = middle
    return same
