"""Brings the messages of a request into the form that chat templates accept. Pure.

Anthropic's API accepts more than the templates of most models, and the engine passes it on (b11549):

1. ``system`` messages between others, as Claude Code sends them. Templates refuse them ("System message must be at the
   beginning"), or ignore them. At the beginning they are added to ``system``; all others become text of the user,
   in ``<system-reminder>`` tags, at the same position: so the prompt of the next turn begins with that of the last.
2. Several messages of the same role in a row are one turn, and many templates require that roles alternate.
3. Tool results that share a message with text. The engine puts the text in front of them, between a call and its
   result. Reminders, which clients add to most results, become the end of the last result: a message of the user there
   would violate the alternation, and would make templates drop the thinking before it from the prompt, so that the
   engine's cache ends there. Other text gets a message of its own, after the results.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from gglib.proxy.dialects.anthropic.documents import CONVERTED_BLOCK, converted
from gglib.proxy.dialects.anthropic.raw_json import (
    ABSENT,
    RawJson,
    array_of,
    characters_of,
    is_set,
    is_string,
    items_of,
    members_of,
    object_of,
    text_block,
    to_json,
)

_SYSTEM, _USER, _ASSISTANT = "system", "user", "assistant"
_TOOL_RESULT = re.compile(rb'"tool_result"')
_REMINDER = b"<system-reminder>"
_EMPTY_STRING = b'""'


class Message(msgspec.Struct, gc=False):
    """A message of a request; ``content`` is a string or an array of blocks."""

    role: str = ""
    content: msgspec.Raw = ABSENT


class Turns(NamedTuple):
    """Normalized messages."""

    messages: bytes
    """The array."""
    system: tuple[bytes, ...]
    """The texts of ``system`` messages at the beginning, as escaped in JSON."""


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = ABSENT


_block = msgspec.json.Decoder(_Block).decode


def may_need_changes(messages: Sequence[Message]) -> bool:
    """Whether messages may have another form than the templates accept; False is certain."""
    previous = ""
    for message in messages:
        role, content = message.role, message.content
        if role in {previous, _SYSTEM}:
            return True
        if _TOOL_RESULT.search(content) is not None or CONVERTED_BLOCK.search(content) is not None:
            return True
        previous = role
    return False


def normalize_turns(messages: Sequence[Message], array: RawJson) -> Turns | None:
    """Return the messages of ``array`` in their normal form; None if they have it.

    Raises ``msgspec.DecodeError`` for blocks that are no objects, or content that is no text.
    """
    raw_messages = items_of(array)
    leading = next((n for n, message in enumerate(messages) if message.role != _SYSTEM), len(messages))
    output: list[RawJson] = []
    for role, numbers in _turns(messages, leading):
        output += _turn(role, [messages[n] for n in numbers], [raw_messages[n] for n in numbers])
    if not leading and len(output) == len(messages) and all(map(_is_same, output, raw_messages)):
        return None
    return Turns(array_of(output), tuple(_system_text(message.content) for message in messages[:leading]))


def _is_same(one: RawJson, other: RawJson) -> bool:
    return one is other


def _turns(messages: Sequence[Message], start: int) -> Iterator[tuple[str, list[int]]]:
    """Yield the role of each turn and the numbers of its messages; unknown roles are never merged."""

    def turn_of(number: int) -> tuple[str, int]:
        role = messages[number].role
        if role in {_USER, _SYSTEM}:
            return _USER, -1
        return role, -1 if role == _ASSISTANT else number

    for (role, _), numbers in groupby(range(start, len(messages)), turn_of):
        yield role, list(numbers)


def _turn(role: str, messages: Sequence[Message], raw_messages: Sequence[msgspec.Raw]) -> Sequence[RawJson]:
    """Return the messages of one turn: usually one, two for tool results with text."""
    is_single = len(messages) == 1 and messages[0].role == role
    if is_single and is_string(messages[0].content):
        return raw_messages
    if is_single and not may_need_changes(messages):
        return raw_messages
    before = [block for message in messages for block in _blocks(message)]
    blocks = [new for block in before for new in converted(block)]
    results, reminders, others = _partition(blocks)
    if results and role == _USER and (reminders or others):
        results[-1] = _with_reminders(results[-1], reminders)
        return [_message(role, results), *([_message(role, others)] if others else [])]
    is_same = len(before) == len(blocks) and all(map(_is_same, before, blocks))
    return raw_messages if is_single and is_same else [_message(role, blocks)]


def _blocks(message: Message) -> list[RawJson]:
    if message.role == _SYSTEM:
        text = _system_text(message.content)
        return [text_block(_REMINDER + rb"\n%b\n</system-reminder>" % text)]
    if is_string(message.content):
        return [text_block(text)] if (text := characters_of(message.content)) else []
    return list(items_of(message.content))


def _system_text(content: RawJson) -> bytes:
    """Return the text of a system message, as escaped in JSON."""
    if is_string(content):
        return characters_of(content)
    texts = (_block(item).text for item in items_of(content))
    return rb"\n\n".join(characters_of(text) for text in texts if text is not ABSENT)


def _partition(blocks: Sequence[RawJson]) -> tuple[list[RawJson], list[RawJson], list[RawJson]]:
    """Return the tool results, the reminders and the other blocks."""
    found: tuple[list[RawJson], list[RawJson], list[RawJson]] = ([], [], [])
    for block in blocks:
        parsed = _block(block)
        is_reminder = parsed.text is not ABSENT and characters_of(parsed.text).startswith(_REMINDER)
        found[0 if parsed.type == "tool_result" else 1 if is_reminder else 2].append(block)
    return found


def _with_reminders(result: RawJson, reminders: Sequence[RawJson]) -> RawJson:
    """Return a tool result with reminders at its end; the engine joins the texts of a result without a separator."""
    if not reminders:
        return result
    members: dict[str, RawJson] = dict(members_of(result))
    content = members.get("content", ABSENT)
    if not is_set(content):
        items: list[RawJson] = []
    else:
        items = [text_block(characters_of(content))] if is_string(content) else [*items_of(content)]
    items += [text_block(rb"\n\n" + characters_of(_block(reminder).text)) for reminder in reminders]
    return object_of({**members, "content": array_of(items)})


def _message(role: str, blocks: Sequence[RawJson]) -> bytes:
    content = array_of(blocks) if blocks else _EMPTY_STRING
    return b'{"role":%b,"content":%b}' % (to_json(role), content)
