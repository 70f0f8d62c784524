"""Recognizes the conversation of a request, so that it goes to the node that has its prompt in the cache. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

MAX_READ_BYTES = 128 * 1024
"""Of a longer body only the beginning is read, and slower: as many bytes take a millisecond, on the event loop."""
_KEY_BYTES = 16
_MESSAGES = re.compile(rb'"messages"\s*:\s*\[')
_SEPARATOR = re.compile(r"\s*,?\s*")
_decode = json.JSONDecoder(strict=False).raw_decode


class _Role(msgspec.Struct):
    role: str = ""


class _Chat(msgspec.Struct):
    messages: list[msgspec.Raw] = []


def conversation_key(body: bytes) -> str | None:
    """Return a hash of a chat's beginning, up to the first message of the user; None if the body is no chat.

    A client sends the whole conversation with each request, so that its beginning stays the same. Conversations that
    begin with the same words have the same key, and gain from the same cache. A body may grow beyond
    ``MAX_READ_BYTES``, and has the same key then, unless its beginning itself is longer.
    """
    try:
        if len(body) > MAX_READ_BYTES:
            return _key(_first_messages(body[:MAX_READ_BYTES]))
        return _key(msgspec.json.decode(body, type=_Chat).messages)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _key(messages: Iterable[bytes | msgspec.Raw]) -> str | None:
    digest = blake2b(digest_size=_KEY_BYTES)
    for message in messages:
        digest.update(message)
        if msgspec.json.decode(message, type=_Role).role == "user":
            return digest.hexdigest()
    return None


def _first_messages(beginning: bytes) -> Iterator[bytes]:
    """Yield the messages of a chat that is cut off, as they are. Raises ValueError for the one that is not complete.

    The member may be another one of this name, deeper in the body: then the key is that of no conversation, and a
    preference is missing.
    """
    found = _MESSAGES.search(beginning)
    if found is None:
        return
    text = beginning[found.end() :].decode(errors="ignore")
    end = 0
    while True:
        separator = _SEPARATOR.match(text, end)
        start = end if separator is None else separator.end()
        _, end = _decode(text, start)
        yield text[start:end].encode()
