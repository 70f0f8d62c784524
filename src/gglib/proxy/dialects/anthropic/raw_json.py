"""Edits JSON as raw values: what stays is copied as bytes. Pure.

The functions raise ``msgspec.DecodeError`` for values of another type, and for invalid JSON.
"""

from collections.abc import Iterable, Mapping

import msgspec

RawJson = msgspec.Raw | bytes
"""The JSON of one value, without white space around it."""

ABSENT = msgspec.Raw()
"""The value of a member that an object does not have."""

items_of = msgspec.json.Decoder(list[msgspec.Raw]).decode
"""Returns the values of an array."""

members_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""Returns the members of an object; of equal names the last one, as the engine does."""

to_json = msgspec.json.encode
"""Returns compact JSON."""


def is_string(value: RawJson) -> bool:
    """Whether a value is a string."""
    return bytes(memoryview(value)[:1]) == b'"'


def is_array(value: RawJson) -> bool:
    """Whether a value is an array."""
    return bytes(memoryview(value)[:1]) == b"["


def is_set(value: RawJson) -> bool:
    """Whether an object has the member, with another value than null."""
    return value is not ABSENT and bytes(memoryview(value)[:4]) != b"null"


def characters_of(string: RawJson) -> bytes:
    """Return the characters of a string as they are escaped, without its quotes."""
    return bytes(memoryview(string)[1:-1])


def array_of(items: Iterable[RawJson]) -> bytes:
    """Return the array with these values."""
    return b"[%b]" % b",".join(map(bytes, items))


def object_of(members: Mapping[str, RawJson]) -> bytes:
    """Return the object with these members."""
    return b"{%b}" % b",".join(b"%b:%b" % (to_json(name), bytes(value)) for name, value in members.items())


def text_block(characters: bytes) -> bytes:
    """Return the text block with these escaped characters."""
    return b'{"type":"text","text":"%b"}' % characters
