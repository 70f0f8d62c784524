"""Recognizes the conversation of a request, so that it goes to the node that has its prompt in the cache. Pure."""

from hashlib import blake2b

import msgspec

MAX_BODY_BYTES = 128 * 1024
"""Longer bodies are not read for it, which takes 0.4 ms for as many bytes, on the event loop."""
_KEY_BYTES = 16


class _Role(msgspec.Struct):
    role: str = ""


class _Chat(msgspec.Struct):
    messages: list[msgspec.Raw] = []


def conversation_key(body: bytes) -> str | None:
    """Return a hash of a chat's beginning, up to the first message of the user; None if the body is no chat.

    A client sends the whole conversation with each request, so that its beginning stays the same. Conversations that
    begin with the same words have the same key, and gain from the same cache.
    """
    if len(body) > MAX_BODY_BYTES:
        return None
    try:
        messages = msgspec.json.decode(body, type=_Chat).messages
        digest = blake2b(digest_size=_KEY_BYTES)
        for message in messages:
            digest.update(message)
            if msgspec.json.decode(message, type=_Role).role == "user":
                return digest.hexdigest()
    except msgspec.DecodeError:
        return None
    return None
