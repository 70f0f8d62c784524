"""Removes the line that Claude Code puts in front of the system prompt. Pure.

``x-anthropic-billing-header: cc_version=2.1.197.b3f; cc_entrypoint=cli;`` is the first system block. The last part of
the version depends on the first message, older versions add ``cch=…``, which changes with each request. It is not meant
for the model, and the engine's prompt cache reuses a prompt up to the first difference: nothing of the 77,000 tokens
behind the line for another conversation.
"""

import re

import msgspec

from gglib.proxy.dialects.anthropic.raw_json import (
    ABSENT,
    RawJson,
    array_of,
    characters_of,
    is_array,
    is_string,
    items_of,
    members_of,
    object_of,
)

_LINE = re.compile(
    rb'x-anthropic-billing-header: cc_version=[^;"\\]*;(?: [a-z][a-z0-9_]*=[^;"\\]*;)*(?:\\n)*'
)
"""As escaped in JSON."""
NAME = b"x-anthropic-billing-header: "
"""The beginning of the line."""
_SEARCHED_BYTES = 256
"""The line begins in the first block, which is short or begins with it."""


class _TextBlock(msgspec.Struct, tag="text", gc=False):
    text: msgspec.Raw


_text_block = msgspec.json.Decoder(_TextBlock).decode


def may_have_billing_line(system: RawJson) -> bool:
    """Whether ``system`` may begin with the line; False is certain."""
    return NAME in bytes(memoryview(system)[:_SEARCHED_BYTES])


def without_billing_line(system: RawJson) -> RawJson:
    """Return ``system`` without the line, ``ABSENT`` if nothing else is in it; unchanged if it has another form."""
    if is_string(system):
        rest = _without(system)
        return system if rest is None else rest or ABSENT
    items = items_of(system) if is_array(system) else []
    if not items:
        return system
    rest = _without(_text_block(items[0]).text)
    if rest is None:
        return system
    first = [object_of({**members_of(items[0]), "text": rest})] if rest else []
    blocks = [*first, *items[1:]]
    return array_of(blocks) if blocks else ABSENT


def _without(text: RawJson) -> bytes | None:
    """Return a string without the line, ``b""`` if nothing is left; None if it does not begin with the line."""
    characters = characters_of(text)
    line = _LINE.match(characters)
    if line is None:
        return None
    rest = characters[line.end() :]
    return b'"%b"' % rest if rest else b""
