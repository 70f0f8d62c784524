"""Turns content blocks that the engine drops silently into text blocks. Pure.

The engine reads ``text``, ``image`` (data and URLs), ``tool_use``, ``tool_result`` and ``thinking``, and skips all
others (``server_chat_convert_anthropic_to_oai``, b11549): the model would answer without the document. The text of
documents and search results becomes text. For files that gglib has no reader for, the model gets a note: an error would
end an agent's session, because the block is part of each later request.
"""

import re

import msgspec

from gglib.proxy.dialects.anthropic.raw_json import (
    ABSENT,
    RawJson,
    array_of,
    is_array,
    is_string,
    items_of,
    members_of,
    object_of,
    to_json,
)

CONVERTED_BLOCK = re.compile(rb'"(?:document|search_result|file_id)"')
"""Found in content that may have a block to convert. Text does not match: its quotes are escaped."""


class _Source(msgspec.Struct, gc=False):
    type: str = ""
    data: str = ""
    content: msgspec.Raw = ABSENT


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    title: str | None = None
    context: str | None = None
    source: msgspec.Raw = ABSENT
    content: msgspec.Raw = ABSENT


class _TextBlock(msgspec.Struct, gc=False):
    text: str = ""


_block = msgspec.json.Decoder(_Block).decode
_source = msgspec.json.Decoder(_Source).decode
_string = msgspec.json.Decoder(str).decode
_text_blocks = msgspec.json.Decoder(list[_TextBlock]).decode


def converted(block: RawJson) -> list[RawJson]:
    """Return the blocks that replace ``block``; itself if the engine reads it."""
    if CONVERTED_BLOCK.search(block) is None:
        return [block]
    parsed = _block(block)
    if parsed.type == "document":
        return _document(parsed)
    if parsed.type == "search_result":
        return [_search_result(parsed)]
    if parsed.type == "image" and _source(parsed.source).type == "file":
        return [_note("image", parsed, "it is a reference to a file of Anthropic's Files API")]
    if parsed.type == "tool_result" and is_array(parsed.content):
        items = [item for inner in items_of(parsed.content) for item in converted(inner)]
        return [object_of({**members_of(block), "content": array_of(items)})]
    return [block]


def _document(block: _Block) -> list[RawJson]:
    source = _source(block.source)
    head = _head(block)
    if source.type == "text":
        return [_text(f"<document>\n{head}{source.data}\n</document>")]
    if source.type == "content" and is_string(source.content):
        return [_text(f"<document>\n{head}{_string(source.content)}\n</document>")]
    if source.type == "content":
        return [_text(f"<document>\n{head}"), *items_of(source.content), _text("</document>")]
    return [_note("document", block, "only documents with text reach the model, no PDF files and no links")]


def _search_result(block: _Block) -> bytes:
    texts = "\n\n".join(part.text for part in _text_blocks(block.content))
    return _text(
        f"<search_result>\n{_head(block)}Source: {_string(block.source)}\n\n{texts}\n</search_result>"
    )


def _head(block: _Block) -> str:
    title = f"Title: {block.title}\n" if block.title else ""
    context = f"Context: {block.context}\n" if block.context else ""
    return title + context


def _note(kind: str, block: _Block, reason: str) -> bytes:
    title = f" '{block.title}'" if block.title else ""
    return _text(f"[The {kind}{title} is missing here: {reason}.]")


def _text(text: str) -> bytes:
    return to_json({"type": "text", "text": text})
